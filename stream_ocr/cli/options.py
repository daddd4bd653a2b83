"""Options shared by several commands, and their evaluation."""

import sys
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.printable import escape_unprintable

Config = Annotated[Path | None, typer.Option("--config", help="Settings file (YAML); see `stream-ocr config`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set one setting; repeatable.")]

Key = Annotated[Path | None, typer.Option(help="Secret key of this client, NAME.key_secret.")]
ServerKey = Annotated[Path | None, typer.Option(help="Public key of the server, server.key.")]

Srt = Annotated[Path | None, typer.Option(help="Write subtitles to this file.")]
Subtitles = Annotated[
    bool,
    typer.Option(
        "--subtitles", help="Write only the subtitles of a film to .srt, .vtt, .ass and .txt, no signs and logos."
    ),
]
Annotate = Annotated[
    Path | None, typer.Option("--annotate", help="Write a copy of the video with the texts drawn in (.mp4).")
]

MODEL_SETTINGS = ("models", "device", "dtype", "threads", "detection", "recognition")
FILE_SETTINGS = (*MODEL_SETTINGS, "logs", "decode", "gating", "tracking", "events", "store", "socket", "sinks", "rules")
IMAGE_SETTINGS = (*MODEL_SETTINGS, "events")
"""Settings, or groups of them, that commands with models, and commands that read videos or images, use."""
ONLY_WITH_PROCESSES = ("detection.batch", "logs.trace")
"""Settings that are of no use where all stages run in one process."""


def load(
    config: Path | None,
    overrides: list[str] | None,
    uses: Collection[str] | None = None,
    unused: Collection[str] = (),
) -> Settings:
    """Load the settings of a command and configure logging.

    uses: the settings, or groups of them, that the command uses, apart from those of the log; None: all. unused: those
    within them that it does not use. A settings file may serve several commands, but an override that has no effect is
    a mistake. Raises SettingsError.
    """
    settings = Settings.load(config, overrides or ())
    for override in overrides or ():
        name = override.partition("=")[0].strip()
        is_used = uses is None or _is_within(name, (*uses, "logs.style", "logs.level"))
        if not is_used or _is_within(name, unused):
            raise SettingsError(f"{name} (--set) has no effect on this command; leave it out.")
    logging_config.configure(settings)
    return settings


def _is_within(name: str, groups: Collection[str]) -> bool:
    return any(name == group or name.startswith(f"{group}.") for group in groups)


def load_for_files(
    config: Path | None,
    overrides: list[str] | None,
    uses: Collection[str] = FILE_SETTINGS,
    unused: Collection[str] = (),
) -> Settings:
    """Load the settings of a command that reads files. Raises SettingsError, also for cameras in the settings."""
    settings = load(config, overrides, uses, unused)
    if settings.sources:
        raise SettingsError(
            f"The settings name cameras under sources ({', '.join(settings.sources)}), but this command reads files; "
            "read cameras with `stream-ocr run`, or use a settings file without sources."
        )
    return settings


def check_packages(what: str, modules: Collection[str], extra: str) -> None:
    """Raise SettingsError if a module is not installed. what: the part of the program that needs it."""
    for name in modules:
        if find_spec(name) is None:
            raise SettingsError(f"{what} needs {name}, which is not installed; pip install 'stream-ocr[{extra}]'.")


def print_status(line: str) -> None:
    """Print a line for the user to standard error, so that it does not mix with piped output.

    Control characters, as in names of files, are shown escaped.
    """
    sys.stderr.write("\n".join(map(escape_unprintable, line.split("\n"))) + "\n")
    sys.stderr.flush()
