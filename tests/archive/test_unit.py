import os

import pytest

from stream_ocr import Settings
from stream_ocr.archive.sources import Source
from stream_ocr.archive.unit import Planner
from stream_ocr.errors import SettingsError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"video")
    os.utime(path, (1, 1))
    return path


def key(file, *overrides, stream="film.mp4", changes=None):
    settings = Settings.load(overrides=["models=builtin", *overrides])
    return Planner(settings).plan(Source(str(file), stream, changes or {})).key


def test_the_key_depends_on_what_the_events_depend_on(file, tmp_path):
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("one\n")
    keys = [
        key(file),
        key(file, stream="other.mp4"),
        key(file, "detection.max_fps=3"),
        key(file, f"recognition.lexicon={lexicon}"),
    ]
    lexicon.write_text("two\n")
    keys.append(key(file, f"recognition.lexicon={lexicon}"))
    os.utime(file, (2, 2))
    keys.append(key(file))
    assert len({*keys}) == len(keys)


def test_the_key_does_not_depend_on_anything_else(file):
    assert key(file) == key(file, "threads=2", "logs.level=error", "dashboard.port=1")


def test_settings_of_a_file_replace_those_of_all_files(file):
    assert key(file, changes={"detection": {"max_fps": 3}}) == key(file, "detection.max_fps=3")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"detection": {"max_fbs": 3}}, r"film\.mp4: detection\.max_fbs in the manifest: Extra inputs"),
        ({"dashboard": {"port": 3}}, r"film\.mp4: dashboard cannot be set for a file of an archive"),
    ],
)
def test_settings_that_are_wrong_are_errors(file, changes, sentence):
    with pytest.raises(SettingsError, match=sentence):
        key(file, changes=changes)
