"""The change map: sees what can be read, and not what cannot."""

import time

import cv2
import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.gating.change_detection import ChangeDetector
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic.scene import Scene, Text, draw_frames, render


def frame(luma: np.ndarray) -> Frame:
    chroma = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, np.uint8)
    return Frame(np.clip(np.rint(luma), 0, 255).astype(np.uint8), chroma, chroma)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A luma plane of 640×360 with the look of a photograph."""
    _, picture = next(draw_frames(Scene((), 0.04, (640, 360), background="static")))
    return 16 + cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) * 219 / 255


def against(reference: np.ndarray, **options) -> ChangeDetector:
    change_map = ChangeDetector(**options)
    change_map.changed(frame(reference))
    change_map.processed(frame(reference))
    return change_map


def test_the_first_frame_is_all_new(photo):
    change = ChangeDetector().changed(frame(photo))
    assert change.cut
    assert change.fraction == 1
    assert change.mask.shape == (12, 20)  # tiles of 32 pixels
    assert change.mask.all()


def test_the_same_frame_again_is_nothing(photo):
    change = against(photo).changed(frame(photo))
    assert not change
    assert not change.cut
    assert not change.mask.any()


def test_a_picture_that_stays_is_no_cut_and_brings_nothing_and_differs_until_it_is_processed(photo):
    other = (252 - photo).astype(np.uint8)
    cv2.putText(other, "TITLE", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 4)
    change_map = against(photo)
    came, stayed = change_map.changed(frame(other)), change_map.changed(frame(other))
    assert came.cut
    assert came.sudden.any()
    assert not stayed.cut
    assert not stayed.sudden.any()
    assert stayed.fraction == came.fraction > 0.5
    assert np.array_equal(stayed.mask, came.mask)
    change_map.processed(frame(other))
    assert not change_map.changed(frame(other))


@pytest.mark.parametrize("sigma", [1, 3, 5])
def test_sensor_noise_is_nothing(photo, sigma):
    rng = np.random.default_rng(sigma)
    shots = [photo + rng.normal(0, sigma, photo.shape) for _ in range(25)]
    change_map = against(shots[0])
    assert not any(change_map.changed(frame(shot)) for shot in shots[1:])


@pytest.mark.parametrize(
    ("codec", "crf", "background"),
    [("libx264", 20, "noise"), ("libx264", 28, "noise"), ("libx264", 28, "static"), ("mpeg4", 24, "noise")],
)
def test_the_flicker_of_a_codec_is_nothing(tmp_path, codec, crf, background):
    render(Scene((), 1.6, (640, 360), background=background), tmp_path / "still.mp4", codec=codec, crf=crf, gop=10)
    change_map = ChangeDetector()
    with open_file(tmp_path / "still.mp4", stream="still") as source:
        change_map.processed(next(iter(source)).frame)
        assert not any(change_map.changed(picture.frame) for picture in source)


def test_a_small_digit_that_changes_is_seen_where_it_is(tmp_path):
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
    change_map, seen = ChangeDetector(), []
    with open_file(tmp_path / "digits.mp4", stream="digits") as source:
        for picture in source:
            change = change_map.changed(picture.frame)
            change_map.processed(picture.frame)
            if picture.stamp.seq >= 2:
                x, y = (v // change_map.tile for v in places[picture.stamp.seq - 2])
                seen.append(bool(change.mask[y : y + 2, x : x + 2].any()) and change.mask.sum() <= 4)
    assert sum(seen) >= 58  # the closest pairs, like 6 and 8, differ by one short stroke
    assert len(seen) == 60


def test_a_slow_fade_adds_up(photo):
    """A title that takes five seconds to appear changes by less than a grey level from frame to frame."""
    title = np.zeros(photo.shape, np.uint8)
    cv2.putText(title, "TITLE", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, 1, 4)
    fade = [frame(photo + title * (100 * step / 125)) for step in range(126)]
    previous, processed = ChangeDetector(), ChangeDetector()
    for change_map in (previous, processed):
        change_map.processed(fade[0])
    first_seen = None
    for step, shot in enumerate(fade):
        assert step == 0 or not previous.changed(shot)
        previous.processed(shot)
        if first_seen is None and processed.changed(shot):
            first_seen = step
    assert first_seen is not None
    assert first_seen <= 30


def test_a_subtitle_over_a_moving_background_is_seen_beside_the_motion():
    text = Text("HELLO THERE", 0.5, 1, (20, 300), height=30, panel=(0, 0, 0))
    scene = Scene((text,), 1.0, (640, 360), background="static")
    shots = []
    for time_s, picture in draw_frames(scene):
        cv2.circle(picture, (300 + round(float(time_s) * 100), 100), 50, (250, 250, 250), cv2.FILLED)
        shots.append(frame(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)))
    change_map = ChangeDetector()
    change_map.processed(shots[10])
    bottom = [bool(change_map.changed(shot).mask[9:].any()) for shot in shots[11:]]
    assert bottom == [False, False] + [True] * 12


def test_a_cut_is_not_a_pan_nor_a_flash(photo):
    change_map = against(photo)
    assert not change_map.changed(frame(np.roll(photo, 12, axis=1))).cut
    assert not change_map.changed(frame(np.roll(photo, 24, axis=1) * 0.6 + 80)).cut
    _, other = next(draw_frames(Scene((), 0.04, (640, 360), background="static", seed=4)))
    other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)
    change = change_map.changed(frame(other))
    assert change.cut
    assert change.fraction > 0.9
    assert not change_map.changed(frame(other)).cut  # nothing happened since
    assert change_map.changed(frame(np.full_like(other, 16))).cut  # to black


def test_what_is_said_to_move_is_only_searched_for_cuts_and_for_what_appears(photo):
    change_map = against(photo)
    panned = np.roll(photo, 6, axis=1)
    titled = panned.astype(np.uint8)
    cv2.putText(titled, "TITLE", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 4)
    moved = change_map.moving(frame(panned))
    assert moved.mask.all()
    assert not moved.cut
    came = change_map.moving(frame(titled))
    assert came.sudden.any()
    assert change_map.moving(frame(252 - photo)).cut
    change_map.processed(frame(photo))
    change_map.moving(frame(photo))
    assert not change_map.moving(frame(photo)), "the same to the bit does not move, whatever is said"


def test_another_size_begins_anew(photo):
    change_map = against(photo)
    change = change_map.changed(frame(photo[:180, :321]))
    assert change.cut
    assert change.mask.shape == (6, 11)


def test_odd_sizes_and_padded_lines(photo):
    padded = np.zeros((359, 704), np.uint8)
    padded[:, :640] = photo[:359].astype(np.uint8)
    luma = padded[:, :639]
    change_map = ChangeDetector()
    change_map.processed(frame(luma))
    moved = luma.copy()
    moved[340:356, 620:636] ^= 255
    mask = change_map.changed(Frame(moved, moved[::2, ::2], moved[::2, ::2])).mask
    assert mask.shape == (12, 20)
    assert mask[-2:, -1].any()
    assert not mask[:9].any()


def test_cells_for_large_pictures(photo):
    large = cv2.resize(photo, (2560, 1440))
    change_map = against(large, cell=16)
    assert change_map.tile == 64
    assert not change_map.changed(frame(large))
    large[710:740, 1034:1054] += 60
    assert np.argwhere(change_map.changed(frame(large)).mask).tolist() == [[11, 16]]
    with pytest.raises(ValueError, match="12"):
        ChangeDetector(cell=12)


def test_it_is_quick(photo):
    shots = [frame(cv2.resize(photo, (1280, 720)) + step) for step in (0, 3)]
    change_map = ChangeDetector()
    change_map.processed(shots[0])
    best = 1.0
    for i in range(60):
        start = time.perf_counter()
        change_map.changed(shots[i % 2])
        best = min(best, time.perf_counter() - start)
    assert best < 2e-3  # about 0.5 ms; the margin is for busy machines
