"""Fixtures for tests of stages."""

from pathlib import Path

import pytest
from stages.live_harness import SCENE

from stream_ocr.synthetic.scene import render


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of four seconds with a key frame every second."""
    path = tmp_path_factory.mktemp("watch") / "clip.mp4"
    render(SCENE, path, gop=25)
    return path
