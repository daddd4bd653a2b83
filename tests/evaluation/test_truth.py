from pathlib import Path

import pytest

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.truth import read_truth


@pytest.mark.parametrize("text", ["", "[]", '{"video": 1}', '{"segments": [{"text": "a"}]}'])
def test_read_truth_raises_source_errors(tmp_path: Path, text: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(SourceError, match=r"truth\.json is not a truth file"):
        read_truth(tmp_path / "truth.json")
    with pytest.raises(SourceError, match="cannot be read"):
        read_truth(tmp_path / "missing.json")
