"""Options shared by several commands, and their evaluation."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings

Config = Annotated[Path | None, typer.Option("--config", help="Settings file (YAML); see `stream-ocr config`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set one setting; repeatable.")]


def load(config: Path | None, overrides: list[str] | None) -> Settings:
    """Load the settings of a command and configure logging. Raises SettingsError."""
    settings = Settings.load(config, overrides or ())
    logging_config.configure(settings)
    return settings


def print_status(line: str) -> None:
    """Print a line for the user to standard error, so that it does not mix with piped output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
