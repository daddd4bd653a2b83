"""Variants show the pictures of their source, moved in place and time as ``Change`` says."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stream_ocr.evaluation.metamorphic import VARIANTS, Change, Variant, placement, write_variant
from stream_ocr.evaluation.metamorphic.variants import at_rate
from stream_ocr.evaluation.timed_text import TimedText
from stream_ocr.evaluation.truth import Truth
from stream_ocr.synthetic.encode import encode

SIZE = (160, 120)
SQUARE = (40, 30, 32, 24)  # left, top, width, height
LIT = (0.4, 0.8)  # seconds from which and until which the square is white
FPS = 25


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dark grey clip of one second in which a white square appears and ends."""
    path = tmp_path_factory.mktemp("variants") / "square.mp4"
    x, y, width, height = SQUARE

    def picture(time: Fraction) -> np.ndarray:
        picture = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
        if LIT[0] - 1e-6 <= time < LIT[1] - 1e-6:
            picture[y : y + height, x : x + width] = 255
        return picture

    times = [Fraction(n, FPS) for n in range(FPS)]
    encode(((time, picture(time)) for time in times), path, SIZE, FPS, crf=10)
    return path


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_write_variant_moves_the_picture_as_its_change_says(variant: Variant, video: Path, tmp_path: Path) -> None:
    path = tmp_path / f"variant{variant.suffix}"
    change = write_variant(video, variant, path)
    square = change.text(TimedText("square", *LIT, ((LIT[0], *SQUARE),)))
    lit: list[float] = []
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert (frames[0].width, frames[0].height) == change.placement.size
        for frame in frames:
            picture = frame.to_ndarray(format="gray")
            if picture.max() > 150:
                lit.append(frame.time)
                rows, columns = np.nonzero(picture > 150)
                found = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
                assert found == pytest.approx(square.box_at(frame.time), abs=1.0)
    frame_s = 1 / float(variant.fps or FPS)
    assert (lit[0], lit[-1] + frame_s) == pytest.approx((square.start, square.end), abs=2e-3)
    assert frames[0].time == pytest.approx(float(variant.start_offset_s), abs=2e-3)
    assert frames[-1].time + frame_s == pytest.approx(change.time(1.0), abs=2e-3)


def test_time_is_that_of_the_first_frame_which_shows_the_moment() -> None:
    change = Change(placement.unchanged(SIZE), Fraction(1, 10), 0.04, Fraction(25, 2))
    assert change.time(0.1) == pytest.approx(0.1)
    assert change.time(0.1005) == pytest.approx(0.1), "truth may be rounded to milliseconds"
    assert change.time(0.1017) == pytest.approx(0.18), "a frame of 24 fps is no frame of 25 fps"
    assert change.time(0.14) == pytest.approx(0.18)
    assert change.frame_s == pytest.approx(0.08)
    assert Change(placement.unchanged(SIZE), Fraction(0), 0.04, Fraction(50)).frame_s == pytest.approx(0.04)


def test_truth_lacks_texts_that_lie_between_two_frames() -> None:
    change = Change(placement.unchanged(SIZE), Fraction(0), 0.02, Fraction(10))
    box = ((0.0, 1.0, 2.0, 3.0, 4.0),)
    truth = Truth("v", 2.0, (TimedText("short", 0.12, 0.18, box), TimedText("long", 0.12, 0.5, box)))
    assert [(line.text, line.start, line.end) for line in change.truth(truth).lines] == [("long", 0.2, 0.5)]


def test_at_rate_repeats_and_drops_frames() -> None:
    frames = [av.VideoFrame(16, 16, "gray") for _ in range(3)]
    timed = [(Fraction(n, 10), frame) for n, frame in zip((0, 1, 4), frames, strict=True)]
    shown = [(float(time), frames.index(frame)) for time, frame in at_rate(iter(timed), Fraction(5), Fraction(1, 10))]
    assert shown == [(0.0, 0), (0.2, 1), (0.4, 2)]
    shown = [(float(time), frames.index(frame)) for time, frame in at_rate(iter(timed), Fraction(20), Fraction(1, 10))]
    assert [n for _, n in shown] == [0, 0, 1, 1, 1, 1, 1, 1, 2, 2]
