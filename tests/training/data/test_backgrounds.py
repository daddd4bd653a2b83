import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.training.data.backgrounds import Backgrounds


@pytest.mark.parametrize("shape", [(32, 32), (10, 640), (300, 200), (720, 1280)])
def test_backgrounds_return_patches_of_the_requested_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 60, 3), 90, np.uint8))
    for folder in (None, tmp_path):
        patch = Backgrounds(folder, random.Random(0)).patch(*shape)
        assert patch.shape == (*shape, 3)
        assert patch.dtype == np.uint8


def test_backgrounds_return_photographs_in_rgb(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((50, 60, 3), (0, 0, 255), np.uint8))
    grounds = Backgrounds(tmp_path, random.Random(0), procedural=0.0)
    assert (grounds.patch(20, 20) == (255, 0, 0)).all()


def test_backgrounds_return_copies(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20, 3), 90, np.uint8))
    grounds = Backgrounds(tmp_path, random.Random(0), procedural=0.0)
    grounds.patch(20, 20)[:] = 0
    assert (grounds.patch(20, 20) == 90).all()


def test_backgrounds_are_generated_without_a_folder(tmp_path: Path) -> None:
    grounds = Backgrounds(tmp_path / "nothing", random.Random(0))
    assert len({grounds.patch(8, 8).tobytes() for _ in range(10)}) == 10


def test_backgrounds_name_an_unreadable_picture(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"broken\.jpg"):
        Backgrounds(tmp_path, random.Random(0), procedural=0.0).patch(8, 8)
