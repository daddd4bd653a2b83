"""Frame policy: how much work each frame gets."""

import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.config.sources import SourceSettings
from stream_ocr.core.frame import Frame
from stream_ocr.gating.frame_policy import FramePolicy
from stream_ocr.testing import grey_frame


def noise(seed: int, size: tuple[int, int] = (320, 180)) -> Frame:
    return grey_frame(np.random.default_rng(seed).integers(0, 255, size[::-1], np.uint8))


def make_policy(*overrides: str, source: SourceSettings | None = None) -> FramePolicy:
    return FramePolicy(Settings.load(overrides=["detection.long_side=960", *overrides]), source)


def test_frame_policy_detects_the_first_frame_and_skips_identical_ones() -> None:
    frame, policy = noise(0), make_policy()
    first = policy.decide(frame, 0.0)
    policy.commit(frame)
    assert (first.action, first.cut, first.rows) == ("detect", True, None)
    assert policy.decide(frame, 0.04) == ("skip", False, None)


def test_cancel_makes_the_detection_due_with_the_next_frame() -> None:
    frame, policy = noise(0), make_policy()
    policy.cancel(policy.decide(frame, 0.0))
    assert policy.decide(frame, 0.04).action == "detect"


def test_frame_policy_returns_pixel_rows_for_a_small_change() -> None:
    before, policy = grey_frame(np.full((720, 320), 90, np.uint8)), make_policy()
    policy.decide(before, 0.0)
    policy.commit(before)
    after = grey_frame(before.y.copy())
    after.y[326:340, 40:80] = 200
    assert policy.decide(after, 1.0).rows == (256, 416)


def test_frame_policy_ignores_changes_behind_a_mask() -> None:
    masked = SourceSettings(path="a.mp4", masks=(((0, 0), (1, 0), (1, 1), (0, 1)),))
    policy = make_policy(source=masked)
    assert [policy.decide(noise(seed), seed / 25).action for seed in range(3)] == ["skip"] * 3


def rests_at(frame_number: int, fps: int) -> float:
    """Return when the policy first skips a frame of a film that moves up to that frame and rests from it on."""
    policy, image = make_policy("detection.idle_fps=1", "detection.max_fps=1"), noise(1)
    for n in range(2 * fps):
        luma = np.roll(image.y, 3 * min(n, frame_number - 1), axis=1)
        luma[0, 0] = n % 2  # at rest, but not identical
        frame = Frame(luma, image.u, image.v)
        if policy.decide(frame, n / fps).action == "skip":
            return n / fps
        policy.commit(frame)
    raise AssertionError("no frame was skipped")


@pytest.mark.parametrize("fps", [25, 50])
def test_frame_policy_compares_moving_frames_fully_every_160_ms(fps: int) -> None:
    begins = range(fps // 4, fps * 3 // 4)
    skipped = [rests_at(n, fps) for n in begins]
    assert all(0 <= time_s - n / fps < 0.16 for n, time_s in zip(begins, skipped, strict=True))
    times = sorted(set(skipped))
    assert np.diff(times) == pytest.approx(0.16)
    assert len(times) >= 3


@pytest.mark.parametrize(
    ("size", "overrides", "fine"),
    [
        ((1920, 1080), [], True),
        ((1918, 1078), [], True),
        ((1280, 720), [], False),
        ((1920, 1080), ["detection.fine_pass=off"], False),
        ((1280, 720), ["detection.long_side=640"], True),
    ],
)
def test_frame_policy_makes_fine_passes_only_on_frames_that_the_network_sees_much_reduced(
    size, overrides, fine
) -> None:
    policy = make_policy(*overrides)
    image = grey_frame(np.random.default_rng(0).integers(0, 255, size[::-1], np.uint8))
    frames = [Frame(image.y.copy(), image.u, image.v, full_range=True) for _ in range(2)]
    actions = []
    for n in range(50):
        decision = policy.decide(frames[n % 2], n / 25)
        actions.append(decision.action)
        if decision.action != "skip":
            policy.commit(frames[n % 2])
    assert ("detect_fine" in actions) == fine
    assert actions[0] == "detect"
