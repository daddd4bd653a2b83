"""Parameters of a request, checked as the options of ``stream-ocr read`` are."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, get_args
from urllib.parse import parse_qs

from pydantic import ValidationError

from stream_ocr.config import loading
from stream_ocr.config.settings import Settings
from stream_ocr.config.text_options import OptionError, text_settings
from stream_ocr.errors import StreamOcrError
from stream_ocr.models import presets
from stream_ocr.printable import encodable
from stream_ocr.serve.errors import Refused
from stream_ocr.serve.messages import Format
from stream_ocr.serve.thresholds import THRESHOLDS

_REPEATABLE = ("region", "mask")
_SINGLE = ("pattern", "language", "format", "subtitles", "name")
_SWITCH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file. settings: as JSON. name: that the client gives to the file, if any."""

    settings: Mapping[str, Any]
    name: str | None
    format: Format
    subtitles: bool


def parse_options(query: str, settings: Settings) -> ReadOptions:
    """Return the options of a request. settings: of the server. Raise Refused for what cannot be used."""
    given = _parameters(query)
    single = {name: values[0] for name, values in given.items() if name in _SINGLE}
    format_ = single.get("format", "jsonl")
    if format_ not in get_args(Format):
        raise _refusal(f"format is {format_!r}; use one of {', '.join(get_args(Format))}")
    subtitles = _SWITCH.get(single.get("subtitles", "false").lower())
    if subtitles is None:
        raise _refusal(f"subtitles is {single['subtitles']!r}; use true or false")
    if subtitles and format_ == "jsonl":
        raise _refusal("subtitles needs a format of subtitles: srt, vtt, ass or txt")
    return ReadOptions(_settings(given, settings), single.get("name"), format_, subtitles)  # type: ignore[arg-type]


def file_name(name: str | None) -> str:
    """Return a name for a file, without folders; ``upload`` for one that has none."""
    last = encodable(PurePosixPath((name or "").replace("\\", "/")).name)
    return last[: THRESHOLDS.max_name_characters] or "upload"


def _parameters(query: str) -> dict[str, list[str]]:
    try:
        given = parse_qs(query, keep_blank_values=True, max_num_fields=THRESHOLDS.max_parameters)
    except ValueError:
        raise _refusal(f"there are more than {THRESHOLDS.max_parameters} parameters") from None
    for name, values in given.items():
        if name not in (*_REPEATABLE, *_SINGLE):
            raise _refusal(f"{name!r} is no parameter; there are {', '.join((*_REPEATABLE, *_SINGLE))}")
        if len(values) > 1 and name in _SINGLE:
            raise _refusal(f"{name} is given {len(values)} times; give it once")
    return given


def _settings(given: Mapping[str, list[str]], settings: Settings) -> dict[str, Any]:
    tree = settings.for_workers()
    pattern, language = (given.get(name, [None])[0] for name in ("pattern", "language"))
    try:
        wanted = dict(text_settings(given.get("region", ()), given.get("mask", ()), pattern, language))
    except OptionError as error:
        raise _refusal(f"{error.option}: {error}") from None
    if not wanted:
        return tree
    for name, value in wanted.items():
        loading.set_nested(tree, name, value)
    try:
        presets.select_preset(Settings.model_validate(tree))
    except ValidationError as error:
        origins = dict.fromkeys(wanted, "of the request")
        sentences = [line for detail in error.errors() for line in loading.describe_error(detail, origins, ())]
        raise _refusal(loading.format_mistakes(sentences, len(sentences)).removesuffix(".")) from None
    except StreamOcrError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
    return tree


def _refusal(reason: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"A parameter cannot be used: {reason}.")
