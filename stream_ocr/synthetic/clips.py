"""Clips of the benchmark suite, one for each kind of video. See ``CLIPS``."""

from collections.abc import Callable
from math import ceil, sin

import cv2
import numpy as np

from stream_ocr.synthetic import footage
from stream_ocr.synthetic.backgrounds import BackgroundFactory, texture
from stream_ocr.synthetic.scene import Scene
from stream_ocr.synthetic.text import Point, Text, clock, linear_path

_WORDS = [
    "river", "morning", "window", "garden", "silver", "market", "bridge", "orange", "letter", "winter", "number",
    "station", "paper", "mountain", "coffee", "yellow", "harbour", "doctor", "island", "simple", "summer", "kitchen",
    "weather", "teacher", "corner", "village", "picture", "travel", "answer", "button", "castle", "engine", "forest",
    "guitar", "hammer", "jacket", "ladder", "mirror", "needle", "office", "pencil", "quarter",
]  # fmt: skip
_SHORT = [
    "the", "a", "old", "new", "my", "no", "our", "two", "one", "big", "far", "and", "or", "in", "on", "at", "with",
]  # fmt: skip
_SHOPS = (
    "BAKERY", "HOTEL", "PHARMACY", "BOOKS", "CAFE ROMA", "BARBER", "BUS STOP", "BANK", "FLOWERS", "POLICE", "MUSEUM",
    "PARKING", "STATION", "SHOES", "TOYS", "OPEN 24 H", "PIZZA", "GARAGE", "SCHOOL", "LIBRARY",
)  # fmt: skip


def build_clip(name: str, size: tuple[int, int] = (1280, 720), duration_s: float = 30.0) -> Scene:
    """Return the scene of a clip. Raises KeyError for an unknown name."""
    return CLIPS[name](size, duration_s)


def slides(size: tuple[int, int], duration_s: float) -> Scene:
    """Return slides with a title and four lines that change every five seconds."""
    each_s, rng = 5.0, np.random.default_rng(1)
    unit = size[1] / 720
    texts = []
    for number in range(ceil(duration_s / each_s)):
        start_s, end_s = number * each_s, min((number + 1) * each_s, duration_s)
        title = f"{number + 1}. {' '.join(_pick(rng, _WORDS, 2)).title()}"
        for row, text in enumerate([title, *(_sentence(rng, 5) for _ in range(4))]):
            height = round((64 if row == 0 else 36) * unit)
            place = (90 * unit, (70 if row == 0 else 150 + 80 * row) * unit)
            texts.append(Text(text, start_s, end_s, place, height=height, colour=(24, 28, 40), outline=None))

    def background(size: tuple[int, int], seed: int) -> Callable[[float], np.ndarray]:
        photograph = texture(size[0] // 4, size[1] // 3, np.random.default_rng(seed))

        def at(time_s: float) -> np.ndarray:
            tint = np.random.default_rng(int(time_s / each_s)).integers(205, 250, 3)
            picture = np.full((size[1], size[0], 3), tint, dtype=np.uint8)
            picture[-photograph.shape[0] - 30 : -30, -photograph.shape[1] - 30 : -30] = photograph
            cv2.rectangle(picture, (0, 0), (size[0], round(40 * unit)), (40, 70, 120), cv2.FILLED)
            return picture

        return at

    return Scene(tuple(texts), duration_s, size, background=background)


def subtitles(size: tuple[int, int], duration_s: float) -> Scene:
    """Return subtitles of one and two lines over film: some back to back, some after a pause."""
    rng, unit, now_s, texts = np.random.default_rng(2), size[1] / 720, 0.6, []
    while now_s < duration_s - 1.5:
        end_s = min(now_s + rng.uniform(1.2, 3.6), duration_s - 0.2)
        lines = [_sentence(rng, int(rng.integers(3, 6))) for _ in range(int(rng.integers(1, 3)))]
        for row, text in enumerate(reversed(lines)):
            place = (size[0] / 2, (640 - 56 * row) * unit)
            texts.append(Text(text, now_s, end_s, place, "middle", round(44 * unit)))
        now_s = end_s + (0.0 if rng.random() < 0.4 else rng.uniform(0.2, 1.2))
    return Scene(tuple(texts), duration_s, size, background=footage.film(), seed=2)


def surveillance(size: tuple[int, int], duration_s: float) -> Scene:
    """Return a fixed camera: noise, a clock that ticks every second, the name of the camera, and a walking person."""
    unit = size[1] / 720

    def walk(time_s: float) -> Point:
        return size[0] * (0.5 + 0.42 * sin(0.35 * time_s)), size[1] * (0.86 + 0.05 * sin(0.5 * time_s))

    texts = (
        Text(clock("09:58:45"), 0, duration_s, (1050 * unit, 30 * unit), height=round(40 * unit)),
        Text("CAM 04 LOADING DOCK", 0, duration_s, (40 * unit, 30 * unit), height=round(36 * unit)),
        Text(
            "EXIT", 0, duration_s, (300 * unit, 180 * unit), height=round(44 * unit),
            outline=None, panel=(20, 110, 50),
        ),
    )  # fmt: skip
    return Scene(texts, duration_s, size, background=footage.room(walk), seed=3)


def street(size: tuple[int, int], duration_s: float) -> Scene:
    """Return a hand-held camera that pans over a street with signs, which enter and leave at the edges."""
    rng, unit = np.random.default_rng(4), size[1] / 720
    speed = 150 * unit

    def camera(time_s: float) -> Point:
        return speed * time_s + 12 * unit * (1 + sin(0.9 * time_s)), 9 * unit * sin(1.3 * time_s)

    length = ceil(camera(duration_s)[0] + 30 * unit)
    texts, x = [], 160.0
    for number in range(ceil((length + size[0]) / unit / 420)):
        place = (x * unit, rng.uniform(380, 470) * unit)
        dark, light = rng.integers(0, 90, 3).tolist(), rng.integers(190, 255, 3).tolist()
        ground, ink = (dark, light) if rng.random() < 0.6 else (light, dark)

        def at(time_s: float, place: Point = place) -> Point:
            x, y = (round(v) for v in camera(time_s))
            return round(place[0]) - x, round(place[1]) - y

        texts.append(
            Text(
                _SHOPS[number % len(_SHOPS)], 0, duration_s, at, height=round(rng.integers(34, 60) * unit),
                colour=tuple(ink), outline=None, panel=tuple(ground), window=(0, 0, *size),
            )
        )  # fmt: skip
        x += rng.uniform(380, 560)
    return Scene(tuple(texts), duration_s, size, background=footage.street(camera, length), seed=4)


def credits_(size: tuple[int, int], duration_s: float) -> Scene:
    """Return white lines that scroll up over black."""
    rng, unit = np.random.default_rng(5), size[1] / 720
    speed = 100 * unit
    texts = []
    for number in range(ceil((duration_s * speed) / (64 * unit))):
        begin_s = number * 64 * unit / speed
        path = linear_path(begin_s, (size[0] / 2, size[1]), begin_s + 10, (size[0] / 2, size[1] - 10 * speed))
        name = " ".join(_pick(rng, _WORDS, 2)).title()
        text = name if number % 3 else f"{_pick(rng, _WORDS, 1)[0]} department".upper()
        texts.append(
            Text(text, begin_s, min(begin_s + 10, duration_s), path, "middle", round(34 * unit),
                 outline=None, window=(0, 0, *size))
        )  # fmt: skip
    return Scene(tuple(texts), duration_s, size, background="black")


def ticker(size: tuple[int, int], duration_s: float) -> Scene:
    """Return news messages that scroll through a bar over film, each longer than the bar."""
    rng, unit = np.random.default_rng(6), size[1] / 720
    speed, height = 260 * unit, round(36 * unit)
    bar = (round(200 * unit), round(640 * unit), size[0] - round(200 * unit), round(56 * unit))
    texts: list[Text] = []
    begin_s = 0.4
    while begin_s < duration_s - 2:
        message = ". ".join(_sentence(rng, 5).capitalize() for _ in range(3))
        wide = Text(message, 0, 1, (0, 0), height=height, outline=None).box(0)[2]
        pass_s = (bar[2] + wide) / speed
        path = linear_path(begin_s, (bar[0] + bar[2], 648 * unit), begin_s + pass_s, (bar[0] - wide, 648 * unit))
        texts.append(Text(message, begin_s, min(begin_s + pass_s, duration_s), path, height=height,
                          outline=None, window=bar))  # fmt: skip
        begin_s += (wide + 0.25 * bar[2]) / speed
    label = Text("NEWS", 0, duration_s, (50 * unit, 648 * unit), height=height, outline=None)
    return Scene((label, *texts), duration_s, size, background=_with_bar(footage.film(), round(632 * unit)), seed=6)


def fades(size: tuple[int, int], duration_s: float) -> Scene:
    """Return titles over film that fade or wipe in and out."""
    rng, unit, now_s = np.random.default_rng(7), size[1] / 720, 0.5
    texts: list[Text] = []
    while now_s < duration_s - 3.5:
        end_s, title = now_s + rng.uniform(2.6, 3.6), " ".join(_pick(rng, _WORDS, 3)).title()
        soft = float(rng.choice([0.4, 0.8, 1.2]))
        place = (size[0] / 2, rng.uniform(160, 520) * unit)
        wiped = len(texts) % 3 == 2
        texts.append(
            Text(title, now_s, end_s, place, "middle", round(rng.integers(48, 76) * unit),
                 fade_in_s=0 if wiped else soft, fade_out_s=0 if wiped else soft,
                 wipe_in_s=0.8 if wiped else 0, wipe_out_s=0.6 if wiped else 0)
        )  # fmt: skip
        now_s = end_s + rng.uniform(0.2, 0.8)
    return Scene(tuple(texts), duration_s, size, background=footage.film(shot_s=5.0), seed=7)


def none(size: tuple[int, int], duration_s: float) -> Scene:
    """Return film without text, of objects that resemble text: bricks, bars, leaves, stripes, windows."""
    textures = (texture, footage.bricks, footage.grille, footage.foliage, footage.stripes, footage.houses)
    return Scene((), duration_s, size, background=footage.film(textures=textures), seed=8)


CLIPS: dict[str, Callable[[tuple[int, int], float], Scene]] = {
    "slides": slides,
    "subtitles": subtitles,
    "surveillance": surveillance,
    "street": street,
    "credits": credits_,
    "ticker": ticker,
    "fades": fades,
    "none": none,
}
"""Functions from (size, duration in seconds) to a scene, by name of the clip."""


def _pick(rng: np.random.Generator, words: list[str], count: int) -> list[str]:
    return [words[n] for n in rng.choice(len(words), count, replace=False)]


def _sentence(rng: np.random.Generator, words: int) -> str:
    """Return a sentence of alternating short and long words."""
    parts = [word for pair in zip(_pick(rng, _SHORT, words), _pick(rng, _WORDS, words), strict=True) for word in pair]
    return " ".join(parts[:words])


def _with_bar(background: BackgroundFactory, top: int) -> BackgroundFactory:
    """Return a background with a dark bar along its lower edge."""

    def make(size: tuple[int, int], seed: int) -> Callable[[float], np.ndarray]:
        behind = background(size, seed)

        def at(time_s: float) -> np.ndarray:
            picture = behind(time_s)
            cv2.rectangle(picture, (0, top), (size[0], size[1] - size[1] // 24), (24, 32, 84), cv2.FILLED)
            return picture

        return at

    return make
