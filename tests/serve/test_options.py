"""Parameters of requests."""

from typing import Any
from urllib.parse import urlencode

import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.serve.errors import Refused
from stream_ocr.serve.options import file_name, parse_options
from stream_ocr.serve.thresholds import THRESHOLDS

SETTINGS = Settings.model_validate({"models": "builtin", "detection": {"max_fps": 3}})


def test_parameters_become_settings() -> None:
    options = parse_options("region=0,0,0.5,1&region=0,0,1,0,1,1&pattern=%5Cd%2B&language=DE&format=vtt", SETTINGS)
    settings = Settings.model_validate(options.settings)
    triangle, half = ((0, 0), (1, 0), (1, 1)), ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
    assert settings.detection.regions == (half, triangle)
    assert (settings.detection.max_fps, settings.recognition.pattern) == (3, r"\d+")
    assert (options.format, options.subtitles, options.name) == ("vtt", False, None)


def test_no_parameters_change_nothing() -> None:
    assert Settings.model_validate(parse_options("", SETTINGS).settings) == SETTINGS


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"regoin": "0,0,1,1"}, "'regoin' is no parameter; there are region, mask, pattern"),
        ({"region": "0,0,1"}, "region: '0,0,1' is not an area"),
        ({"mask": "0.5,0,0.5,1"}, "mask: '0.5,0,0.5,1' is empty"),
        ({"pattern": "("}, "recognition.pattern"),
        ({"pattern": "((a{1000}){1000})"}, "repetitions"),
        ({"language": "tlh"}, "language: there is no model for 'tlh'"),
        ({"format": "pdf"}, "format is 'pdf'; use one of jsonl, srt, vtt, ass, txt"),
        ({"subtitles": "yes"}, "subtitles is 'yes'; use true or false"),
        ({"subtitles": "true"}, "subtitles needs a format of subtitles"),
        ([("pattern", "a"), ("pattern", "b")], "pattern is given 2 times"),
        ([("region", "0,0,1,1")] * (THRESHOLDS.max_parameters + 1), "more than 100 parameters"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_parameters_are_refused(given: Any, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_options(urlencode(given), SETTINGS)
    assert refused.value.status == 400
    assert str(refused.value).startswith("A parameter cannot be used: ")
    assert reason in str(refused.value)


def test_pattern_and_lexicon_exclude_each_other() -> None:
    settings = Settings.model_validate({"models": "builtin", "recognition": {"lexicon": "words.txt"}})
    with pytest.raises(Refused, match="only one of the two can be used"):
        parse_options("pattern=a", settings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b/c.mp4", "c.mp4"),
        ("..", ".."),
        ("\\\\host\\c.mp4", "c.mp4"),
        (None, "upload"),
        ("/", "upload"),
        ("x" * 1000, "x" * THRESHOLDS.max_name_characters),
        ("\udcff.mp4", "\\xff.mp4"),
    ],
)
def test_names_have_no_folders(name: str | None, expected: str) -> None:
    assert file_name(name) == expected
