"""Files whose frames are not one after the other at equal distances."""

import pytest


def test_times_at_a_variable_frame_rate_are_those_of_the_frames(sheet, play) -> None:
    steps = [0.04, 0.02, 0.1, 0.033, 0.06] * 14
    times = tuple(round(sum(steps[:n]), 3) for n in range(len(steps)))
    texts = (
        sheet.text("Good morning", 0.5, 1.7, (320, 290), anchor="middle"),
        sheet.text("The train is late", 1.7, 2.9, (320, 290), anchor="middle"),
    )
    duration_s = round(sum(steps), 3)
    played = play(sheet.scene(*texts, duration_s=duration_s, frame_times=times, background="static"))
    played.is_exact(0.0)


@pytest.mark.parametrize("b_frames", [3])
def test_frames_that_are_coded_out_of_order(sheet, play, b_frames) -> None:
    texts = (
        sheet.text("Good morning", 0.32, 1.48, (320, 290), anchor="middle"),
        sheet.text("The train is late", 1.48, 2.6, (320, 290), anchor="middle"),
    )
    played = play(sheet.scene(*texts, duration_s=3.0, background="moving"), b_frames=b_frames)
    played.is_exact()
