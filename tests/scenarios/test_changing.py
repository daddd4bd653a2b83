"""Texts that become others in their place, at the frame at which they do."""

import pytest

from stream_ocr.synthetic.scene import clock

PANEL = {"outline": None, "panel": (20, 20, 28)}


@pytest.mark.parametrize("background", ["static", "noise"])
def test_every_tick_of_a_clock_is_told_once_at_its_frame(sheet, play, background) -> None:
    text = sheet.text(clock("09:59:57"), 0.0, 4.0, (470, 24), **PANEL)
    played = play(sheet.scene(text, duration_s=4.0, background=background))
    played.is_exact()
    assert len({event.track for event in played.events}) == 1, "a clock is one text that changes"


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
def test_one_letter_that_changes_makes_another_text(sheet, play, before, after) -> None:
    texts = (sheet.text(text, a, b, (60, 150), 26) for text, a, b in ((before, 0.2, 1.48), (after, 1.48, 2.6)))
    played = play(sheet.scene(*texts, duration_s=3.0, background="static"))
    played.is_exact()


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
@pytest.mark.parametrize("background", ["moving"])
def test_one_subtitle_after_the_other(sheet, play, pause_s, background) -> None:
    said = ("Chapter 1", "Chapter 11", "Good morning to you")
    texts = (
        sheet.text(text, 0.2 + n * 1.0, 1.2 + n * 1.0 - pause_s, (320, 290), anchor="middle")
        for n, text in enumerate(said)
    )
    played = play(sheet.scene(*texts, duration_s=3.6, background=background))
    played.is_exact()
