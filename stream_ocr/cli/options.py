"""Options that several commands have, and what comes of them."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings

Config = Annotated[Path | None, typer.Option("--config", help="Settings as YAML; see `stream-ocr config`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting; may be repeated.")]


def load(config: Path | None, overrides: list[str] | None) -> Settings:
    """The settings of a command, its logs set up. Raises SettingsError."""
    settings = Settings.load(config, overrides or ())
    logging_config.configure(settings)
    return settings


def tell(sentence: str) -> None:
    """To the person, not to what the output is piped into."""
    typer.echo(sentence, err=True)
