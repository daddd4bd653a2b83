"""Edits of the settings file during a run, none of which may end it; ``benchmarks/live_edits.py`` makes 300."""

import random
from pathlib import Path

import pytest
from fuzz.live_edits import REPORTED_EDITS, edited_run, generated_edits

from stream_ocr.synthetic.scene import Scene, Text, render


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "gate.mp4"
    render(Scene((Text("GATE 12", 0, 900, (40, 60), height=30),), 900.0, (160, 96), fps=1), path)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_edit_of_the_settings_file_ends_a_run(tmp_path, clip) -> None:
    rng = random.Random(1)
    with edited_run(tmp_path, clip) as run:
        for text in REPORTED_EDITS:
            run.edit(text.encode())
        assert run.edits == {"refused": len(REPORTED_EDITS)}
        for content in generated_edits(6, 1):
            run.edit(content)
        for _ in range(6):
            run.edit(run.plausible(rng))
        assert run.edits["reloaded"] >= 3
        run.restore()
        run.finish()
