"""Texts that move: with the camera, towards it, up the picture and through a window."""

from math import sin

import pytest

from stream_ocr.synthetic import footage
from stream_ocr.synthetic.scene import line

FRAME_S = 0.042
WHOLE_S = 0.082  # it takes about a frame to come in by the margin of a box


def test_signs_in_a_street_that_the_camera_pans_over(sheet, play) -> None:
    def camera(time_s: float) -> tuple[float, float]:
        return (100 * time_s + 6 * (1 + sin(2 * time_s))) * sheet.unit, 5 * sin(3 * time_s) * sheet.unit

    def sign(text: str, x: float, y: float):
        def at(time_s: float) -> tuple[float, float]:
            dx, dy = (round(v) for v in camera(time_s))
            return (round(x * sheet.unit) - dx) / sheet.unit, (round(y * sheet.unit) - dy) / sheet.unit

        look = {"outline": None, "panel": (28, 52, 110), "window": (0, 0, *sheet.size)}
        return sheet.text(text, 0.0, 3.2, at, 28, **look)

    signs = sign("BAKERY", 60, 210), sign("HOTEL", 380, 180), sign("BOOKS", 700, 200)
    length = round(500 * sheet.unit)
    played = play(sheet.scene(*signs, duration_s=3.2, background=footage.street(camera, length)))
    assert [text for text, *_ in played.found] == [text for text, *_ in played.shown]
    for (text, start_s, end_s), (_, whole_s, cut_s) in zip(played.found, played.shown, strict=True):
        assert start_s == pytest.approx(whole_s, abs=WHOLE_S), text
        assert cut_s - FRAME_S <= end_s, text


def test_a_text_that_comes_nearer_is_one_text(sheet, play, fails) -> None:
    fails("it starts two or three frames late")
    text = sheet.text("EXIT 14", 0.2, 3.4, (320, 120), 60, anchor="middle", zoom=lambda t: 0.5 + 0.15 * t)
    played = play(sheet.scene(text, duration_s=3.6, background="static"))
    played.is_exact()


def test_each_line_of_credits_is_one_text(sheet, play) -> None:
    def rising(n: int, name: str):
        path = line(n * 0.5, (320, 360), n * 0.5 + 3.0, (320, -60))
        return sheet.text(
            f"{name} Walker",
            n * 0.5,
            n * 0.5 + 3.0,
            path,
            26,
            anchor="middle",
            window=(0, 0, *sheet.size),
            outline=None,
        )

    scrolled = [rising(n, name) for n, name in enumerate(("Anna", "Bruno", "Clara", "David"))]
    played = play(sheet.scene(*scrolled, duration_s=4.6, background="black"))
    played.has_no_parts()
    assert [text for text, *_ in played.found] == [text for text, *_ in played.shown]
    for (text, start_s, end_s), (_, whole_s, cut_s) in zip(played.found, played.shown, strict=True):
        assert start_s == pytest.approx(whole_s, abs=WHOLE_S), text
        assert cut_s - FRAME_S <= end_s <= cut_s + 0.3, text


def test_each_message_of_a_ticker_is_one_text(sheet, play) -> None:
    bar = tuple(round(v * sheet.unit) for v in (60, 310, 400, 40))

    def crawling(text: str, start_s: float, wide: float):
        end_s = start_s + (wide + 400) / 300
        path = line(start_s, (460, 318), end_s, (60 - wide, 318))
        return sheet.text(text, start_s, end_s, path, 24, outline=None, window=bar)

    first = crawling("Heavy rain closes the bridge at the old harbour until noon", 0.2, 720)
    second = crawling("Museum opens again after forty years of slow repair work", 3.0, 720)
    played = play(sheet.scene(first, second, duration_s=7.0, background="black"))
    assert [text for text, *_ in played.found] == [text for text, *_ in played.shown]
    played.is_exact(0.2)
