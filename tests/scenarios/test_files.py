"""Files with variable frame rate or reordered frames."""

import pytest


def test_times_are_exact_at_a_variable_frame_rate(builder, read_scene) -> None:
    steps = [0.04, 0.02, 0.1, 0.033, 0.06] * 14
    times = tuple(round(sum(steps[:n]), 3) for n in range(len(steps)))
    texts = (
        builder.text("Good morning", 0.5, 1.7, (320, 290), anchor="middle"),
        builder.text("The train is late", 1.7, 2.9, (320, 290), anchor="middle"),
    )
    duration_s = round(sum(steps), 3)
    result = read_scene(builder.scene(*texts, duration_s=duration_s, frame_times=times, background="static"))
    result.assert_exact(0.0)


@pytest.mark.parametrize("b_frames", [3])
def test_times_are_exact_with_b_frames(builder, read_scene, b_frames) -> None:
    texts = (
        builder.text("Good morning", 0.32, 1.48, (320, 290), anchor="middle"),
        builder.text("The train is late", 1.48, 2.6, (320, 290), anchor="middle"),
    )
    result = read_scene(builder.scene(*texts, duration_s=3.0, background="moving"), b_frames=b_frames)
    result.assert_exact()
