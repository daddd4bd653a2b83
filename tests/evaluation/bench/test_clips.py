import json
import shutil
from pathlib import Path

import pytest

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.bench.clips import ClipOptions, find_clips

TRUTH = {"duration_s": 2.0, "segments": [{"text": "Exit", "start_s": 0.0, "end_s": 2.0, "box": [0, 0, 40, 20]}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two videos, of which one has a truth beside it, and another with the truth of the other."""
    for name in ("a.mp4", "b.webm", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "a.json").write_text(json.dumps(TRUTH))
    (tmp_path / "truth").mkdir()
    shutil.copy(tmp_path / "a.json", tmp_path / "truth" / "b.json")
    return tmp_path


def test_find_clips_takes_the_videos_of_a_folder_that_have_a_truth(folder: Path) -> None:
    options = ClipOptions(folder / "logs")
    assert [clip.name for clip in find_clips([str(folder)], options)] == ["a"]
    assert [clip.name for clip in find_clips([str(folder)], options, folder / "truth")] == ["b"]
    with pytest.raises(SourceError, match=r"No video in .* has a truth file NAME\.json"):
        list(find_clips([str(folder / "truth")], options))


def test_find_clips_needs_the_truth_of_a_file_only_where_its_folder_is_given(folder: Path) -> None:
    options = ClipOptions(folder / "logs")
    files = [str(folder / name) for name in ("a.mp4", "b.webm")]
    assert [clip.truth is None for clip in find_clips(files, options)] == [False, True]
    with pytest.raises(SourceError, match=r"a\.json cannot be read"):
        list(find_clips(files, options, folder / "truth"))


def test_find_clips_rejects_other_names(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'slidez' is neither a file, nor a folder, nor one of the generated clips"):
        list(find_clips(["slidez"], ClipOptions(tmp_path)))
