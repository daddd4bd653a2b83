"""Change detection: finds changes that can be read, and ignores noise."""

import time

import cv2
import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.gating.change_detection import ChangeDetector, FrameDiff
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic.scene import Scene, Text, draw_frames, render


def frame(luma: np.ndarray) -> Frame:
    chroma = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, np.uint8)
    return Frame(np.clip(np.rint(luma), 0, 255).astype(np.uint8), chroma, chroma)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A luma plane of 640×360 that resembles a photograph."""
    _, picture = next(draw_frames(Scene((), 0.04, (640, 360), background="static")))
    return 16 + cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) * 219 / 255


class Detector(ChangeDetector):
    """A change detector that gets 25 frames per second."""

    def __init__(self, *, cell: int = 8, threshold: float = 7.0) -> None:
        super().__init__(cell, threshold)
        self.frames = 0

    def next(self, luma: np.ndarray | Frame) -> FrameDiff:
        self.frames += 1
        return self.compare(luma if isinstance(luma, Frame) else frame(luma), self.frames / 25)

    def next_moving(self, luma: np.ndarray) -> FrameDiff:
        self.frames += 1
        return self.assume_moving(frame(luma), self.frames / 25)


def with_reference(reference: np.ndarray, **options) -> Detector:
    detector = Detector(**options)
    detector.next(reference)
    detector.set_reference(frame(reference))
    return detector


def test_change_detector_marks_the_first_frame_as_changed(photo):
    diff = Detector().next(photo)
    assert diff.cut
    assert diff.fraction == 1
    assert diff.mask.shape == (12, 20)  # tiles of 32 pixels
    assert diff.mask.all()


def test_change_detector_finds_no_change_in_an_identical_frame(photo):
    diff = with_reference(photo).next(photo)
    assert not diff
    assert not diff.cut
    assert not diff.mask.any()


def test_change_detector_repeats_the_diff_of_an_identical_frame_without_cut_and_onset(photo):
    other = (252 - photo).astype(np.uint8)
    cv2.putText(other, "TITLE", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 4)
    detector = with_reference(photo)
    came, stayed = detector.next(other), detector.next(other)
    assert came.cut
    assert came.onset.any()
    assert not stayed.cut
    assert not stayed.onset.any()
    assert stayed.fraction == came.fraction > 0.5
    assert np.array_equal(stayed.mask, came.mask)
    detector.set_reference(frame(other))
    assert not detector.next(other)


@pytest.mark.parametrize("sigma", [1, 3, 5])
def test_change_detector_ignores_sensor_noise(photo, sigma):
    rng = np.random.default_rng(sigma)
    shots = [photo + rng.normal(0, sigma, photo.shape) for _ in range(25)]
    detector = with_reference(shots[0])
    assert not any(detector.next(shot) for shot in shots[1:])


@pytest.mark.parametrize(
    ("codec", "crf", "background"),
    [("libx264", 20, "noise"), ("libx264", 28, "noise"), ("libx264", 28, "static"), ("mpeg4", 24, "noise")],
)
def test_change_detector_ignores_codec_flicker(tmp_path, codec, crf, background):
    render(Scene((), 1.6, (640, 360), background=background), tmp_path / "still.mp4", codec=codec, crf=crf, gop=10)
    detector = Detector()
    with open_file(tmp_path / "still.mp4", stream="still") as source:
        detector.set_reference(next(iter(source)).frame)
        assert not any(detector.next(picture.frame) for picture in source)


def test_change_detector_finds_a_small_digit_that_changes(tmp_path):
    """Sixty digits of 7×10 pixels with a contrast of 40, compressed; each changes alone, once."""
    rng = np.random.default_rng(5)
    texts, places = [], []
    for k in range(60):
        before, after = (str(digit) for digit in rng.choice(10, 2, replace=False))
        x, y = 20 + k % 10 * 60 + int(rng.integers(0, 8)), 20 + k // 10 * 50 + int(rng.integers(0, 8))
        grey = {"height": 14, "colour": (140, 140, 140), "outline": None, "panel": (100, 100, 100)}
        flip = (k + 2) / 25
        texts += [Text(before, 0, flip, (x, y), **grey), Text(after, flip, 9, (x, y), **grey)]
        places.append((x, y))
    render(Scene(tuple(texts), 62 / 25, (640, 360), background="static"), tmp_path / "digits.mp4", crf=20)
    detector, seen = Detector(), []
    with open_file(tmp_path / "digits.mp4", stream="digits") as source:
        for picture in source:
            diff = detector.next(picture.frame)
            detector.set_reference(picture.frame)
            if picture.stamp.seq >= 2:
                x, y = (v // detector.tile for v in places[picture.stamp.seq - 2])
                seen.append(bool(diff.mask[y : y + 2, x : x + 2].any()) and diff.mask.sum() <= 4)
    assert sum(seen) >= 58  # the closest pairs, like 6 and 8, differ by one short stroke
    assert len(seen) == 60


def test_change_detector_accumulates_a_slow_fade(photo):
    """A title that takes five seconds to appear changes by less than a grey level from frame to frame."""
    title = np.zeros(photo.shape, np.uint8)
    cv2.putText(title, "TITLE", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, 1, 4)
    fade = [frame(photo + title * (100 * step / 125)) for step in range(126)]
    previous, processed = Detector(), Detector()
    for detector in (previous, processed):
        detector.set_reference(fade[0])
    first_seen = None
    for step, shot in enumerate(fade):
        assert step == 0 or not previous.next(shot)
        previous.set_reference(shot)
        if first_seen is None and processed.next(shot):
            first_seen = step
    assert first_seen is not None
    assert first_seen <= 30


def test_change_detector_finds_a_subtitle_beside_motion():
    text = Text("HELLO THERE", 0.5, 1, (20, 300), height=30, panel=(0, 0, 0))
    scene = Scene((text,), 1.0, (640, 360), background="static")
    shots = []
    for time_s, picture in draw_frames(scene):
        cv2.circle(picture, (300 + round(float(time_s) * 100), 100), 50, (250, 250, 250), cv2.FILLED)
        shots.append(frame(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)))
    detector = Detector()
    detector.set_reference(shots[10])
    bottom = [bool(detector.next(shot).mask[9:].any()) for shot in shots[11:]]
    assert bottom == [False, False] + [True] * 12


def test_change_detector_distinguishes_cuts_from_pans_and_flashes(photo):
    detector = with_reference(photo)
    assert not detector.next(np.roll(photo, 12, axis=1)).cut
    assert not detector.next(np.roll(photo, 24, axis=1) * 0.6 + 80).cut
    _, other = next(draw_frames(Scene((), 0.04, (640, 360), background="static", seed=4)))
    other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)
    diff = detector.next(other)
    assert diff.cut
    assert diff.fraction > 0.9
    assert not detector.next(other).cut
    assert detector.next(np.full_like(other, 16)).cut  # to black


def test_assume_moving_still_finds_cuts_onsets_and_identical_frames(photo):
    detector = with_reference(photo)
    panned = np.roll(photo, 6, axis=1)
    titled = panned.astype(np.uint8)
    cv2.putText(titled, "TITLE", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 4)
    moved = detector.next_moving(panned)
    assert moved.mask.all()
    assert not moved.cut
    came = detector.next_moving(titled)
    assert came.onset.any()
    assert detector.next_moving(252 - photo).cut
    detector.set_reference(frame(photo))
    detector.next_moving(photo)
    assert not detector.next_moving(photo), "an identical frame does not move"


def test_change_detector_restarts_at_another_frame_size(photo):
    detector = with_reference(photo)
    diff = detector.next(photo[:180, :321])
    assert diff.cut
    assert diff.mask.shape == (6, 11)


def test_change_detector_accepts_odd_sizes_and_padded_lines(photo):
    padded = np.zeros((359, 704), np.uint8)
    padded[:, :640] = photo[:359].astype(np.uint8)
    luma = padded[:, :639]
    detector = Detector()
    detector.set_reference(frame(luma))
    moved = luma.copy()
    moved[340:356, 620:636] ^= 255
    mask = detector.next(Frame(moved, moved[::2, ::2], moved[::2, ::2])).mask
    assert mask.shape == (12, 20)
    assert mask[-2:, -1].any()
    assert not mask[:9].any()


def test_change_detector_supports_larger_cells(photo):
    large = cv2.resize(photo, (2560, 1440))
    detector = with_reference(large, cell=16)
    assert detector.tile == 64
    assert not detector.next(large)
    large[710:740, 1034:1054] += 60
    assert np.argwhere(detector.next(large).mask).tolist() == [[11, 16]]
    with pytest.raises(ValueError, match="12"):
        ChangeDetector(cell=12, threshold=7.0)


def test_change_detector_is_fast(photo):
    shots = [frame(cv2.resize(photo, (1280, 720)) + step) for step in (0, 3)]
    detector = Detector()
    detector.set_reference(shots[0])
    best = 1.0
    for i in range(60):
        start = time.perf_counter()
        detector.next(shots[i % 2])
        best = min(best, time.perf_counter() - start)
    assert best < 2e-3  # about 0.5 ms; the margin is for busy machines
