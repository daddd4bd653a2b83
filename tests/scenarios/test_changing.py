"""Texts that are replaced in place are reported at the frame at which they change."""

import pytest

from stream_ocr.synthetic.scene import clock

PANEL = {"outline": None, "panel": (20, 20, 28)}


@pytest.mark.parametrize("background", ["static", "noise"])
def test_every_tick_of_a_clock_is_reported_once_at_its_frame(builder, read_scene, background) -> None:
    text = builder.text(clock("09:59:57"), 0.0, 4.0, (470, 24), **PANEL)
    result = read_scene(builder.scene(text, duration_s=4.0, background=background))
    result.assert_exact()
    assert len({event.track for event in result.events}) == 1, "a clock is one track"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("HOME 2 AWAY 1", "HOME 3 AWAY 1"),
        ("12:01", "12:02"),
        ("Chapter 1", "Chapter 11"),
        ("Chapter 11", "Chapter 1"),
        ("We never got to platform 41 in time", "We never got to platform 47 in time"),
        ("Score A", "Score B"),
    ],
)
def test_one_changed_letter_is_a_changed_text(builder, read_scene, before, after) -> None:
    texts = (builder.text(text, a, b, (60, 150), 26) for text, a, b in ((before, 0.2, 1.48), (after, 1.48, 2.6)))
    result = read_scene(builder.scene(*texts, duration_s=3.0, background="static"))
    result.assert_exact()


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
@pytest.mark.parametrize("background", ["moving"])
def test_consecutive_subtitles_are_separate_texts(builder, read_scene, pause_s, background) -> None:
    lines = ("Chapter 1", "Chapter 11", "Good morning to you")
    texts = (
        builder.text(text, 0.2 + n * 1.0, 1.2 + n * 1.0 - pause_s, (320, 290), anchor="middle")
        for n, text in enumerate(lines)
    )
    result = read_scene(builder.scene(*texts, duration_s=3.6, background=background))
    result.assert_exact()
