"""Footage without text for synthetic clips: film with cuts, a street with a panning camera, a room with a fixed camera.

``film``, ``street`` and ``room`` return a ``BackgroundFactory``. The other functions draw textures.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from stream_ocr.synthetic.backgrounds import BackgroundFactory, texture
from stream_ocr.synthetic.thresholds import FOOTAGE


def film(
    shot_s: float = 4.0, grain: float = 3.0, textures: Sequence[Callable[..., np.ndarray]] = (texture,)
) -> BackgroundFactory:
    """Return film of shots of ``shot_s`` seconds; each pans and zooms over its own texture, with moving objects.

    grain: standard deviation of the film grain in levels (0–255). textures: functions from (width, height, rng) to a
    picture, used in turn.
    """

    def make(size: tuple[int, int], seed: int) -> Callable[[float], np.ndarray]:
        grainy = _grain(size, grain, seed)

        @lru_cache(maxsize=1)
        def shot(number: int) -> Callable[[float], np.ndarray]:
            return _shot(size, np.random.default_rng((seed, number)), textures[number % len(textures)])

        def at(time_s: float) -> np.ndarray:
            number = int(time_s / shot_s)
            return grainy(shot(number)(time_s - number * shot_s), time_s)

        return at

    return make


def street(path: Callable[[float], tuple[float, float]], length: int, grain: float = 2.0) -> BackgroundFactory:
    """Return houses along a street of ``length`` pixels. path: top left corner of the picture at a time in seconds."""

    def make(size: tuple[int, int], seed: int) -> Callable[[float], np.ndarray]:
        margin = size[1] // 20
        facade = houses(length + size[0], size[1] + 2 * margin, np.random.default_rng(seed))
        grainy = _grain(size, grain, seed)

        def at(time_s: float) -> np.ndarray:
            x, y = (round(v) for v in path(time_s))
            part = facade[margin + y : margin + y + size[1], x : x + size[0]]
            return grainy(part.copy(), time_s)

        return at

    return make


def room(path: Callable[[float], tuple[float, float]], grain: float = 3.0) -> BackgroundFactory:
    """Return a room under a fixed camera with sensor noise. path: position of the feet of a person at a time."""

    def make(size: tuple[int, int], seed: int) -> Callable[[float], np.ndarray]:
        width, height = size
        still = cv2.addWeighted(texture(width, height, np.random.default_rng(seed)), 0.6, _floor(size), 0.4, 0)
        grainy = _grain(size, grain, seed)

        def at(time_s: float) -> np.ndarray:
            picture = still.copy()
            _person(picture, path(time_s), height // 3, time_s)
            return grainy(picture, time_s)

        return at

    return make


def bricks(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a wall of bricks; in a picture of 720 lines a brick is 20×50 pixels."""
    tall = max(height // 36, 6)
    picture = np.full((height, width, 3), (168, 160, 150), dtype=np.uint8)
    for row, y in enumerate(range(0, height, tall)):
        for x in range(-(row % 2) * tall * 5 // 4, width, tall * 5 // 2):
            colour = (np.array([150, 78, 60]) + rng.integers(-25, 25)).tolist()
            cv2.rectangle(picture, (x + 1, y + 1), (x + tall * 5 // 2 - 2, y + tall - 2), colour, cv2.FILLED)
    return _weathered(picture, rng)


def grille(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw vertical bars with rows of short crossbars, which text detectors often mistake for text."""
    picture = np.full((height, width, 3), 45, dtype=np.uint8)
    step = max(height // 30, 6)
    for x in range(0, width, step):
        cv2.line(picture, (x, 0), (x, height), (170, 170, 165), max(step // 5, 1))
    for y in range(0, height, step * 5):
        for x in range(0, width, 2 * step):
            cv2.line(
                picture, (x, y), (x + step, y + int(rng.integers(-step, step))), (190, 185, 180), max(step // 6, 1)
            )
        cv2.line(picture, (0, y), (width, y), (140, 140, 135), max(step // 4, 1))
    return _weathered(picture, rng)


def foliage(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw leaves."""
    picture = np.full((height, width, 3), (28, 46, 24), dtype=np.uint8)
    size = max(height // 60, 3)
    for _ in range(width * height // (size * size * 3)):
        x, y, turn = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(180))
        colour = (rng.integers(20, 110), rng.integers(70, 190), rng.integers(15, 80))
        cv2.ellipse(picture, (x, y), (size, size // 3 + 1), turn, 0, 360, [int(v) for v in colour], cv2.FILLED)
    return picture


def stripes(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw fields of slanted stripes, such as blinds, crossings and fences."""
    picture = texture(width, height, rng)
    for _ in range(14):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, width // 12, 8), (width, height, width // 4, height // 4)))
        step, slant, colour = (
            int(rng.integers(3, max(height // 40, 5))),
            int(rng.integers(-8, 8)),
            int(rng.integers(255)),
        )
        for left in range(x, min(x + w, width), 2 * step):
            cv2.line(picture, (left, y), (left + slant, min(y + h, height)), (colour,) * 3, step)
    return picture


def houses(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the fronts of houses with windows, doors, a pavement and the sky."""
    picture = texture(width, height, rng)
    unit, x = height / 20, 0
    while x < width:
        w = int(rng.integers(round(7 * unit), round(15 * unit)))
        top = int(rng.integers(round(unit), round(5 * unit)))
        front = picture[top : round(17 * unit), x : x + w]
        colour = rng.integers((90, 80, 70), (200, 180, 170)).tolist()
        cv2.addWeighted(front, 0.35, np.full_like(front, colour), 0.65, 0, front)
        if rng.random() < 0.35:
            wall = bricks(w, front.shape[0], rng)[:, : front.shape[1]]
            cv2.addWeighted(front, 0.4, wall, 0.6, 0, front)
        for y in range(round(top + 1.5 * unit), round(11 * unit), round(3 * unit)):
            for left in range(x + round(unit), x + w - round(2 * unit), round(2.6 * unit)):
                right, low = left + round(1.4 * unit), y + round(2 * unit)
                cv2.rectangle(picture, (left, y), (right, low), (45, 52, 64), cv2.FILLED)
                cv2.rectangle(picture, (left, y), (right, low), (214, 210, 200), max(round(unit / 9), 1))
                cv2.line(picture, ((left + right) // 2, y), ((left + right) // 2, low), (214, 210, 200), 1)
        door = x + w // 2
        cv2.rectangle(picture, (door, round(13.4 * unit)), (door + round(2 * unit), round(17 * unit)), (70, 48, 38), -1)
        x += w
    pavement = picture[round(17 * unit) :]
    cv2.addWeighted(pavement, 0.4, np.full_like(pavement, 120), 0.6, 0, pavement)
    return picture


def _grain(size: tuple[int, int], sigma: float, seed: int) -> Callable[[np.ndarray, float], np.ndarray]:
    """Return a function that adds grain to the picture of a time: different for each time, but deterministic."""
    width, height = size
    rng = np.random.default_rng((seed, 1))
    margin = FOOTAGE.grain_margin_px
    grain = rng.normal(0, sigma, size=(height + margin, width + margin))
    more, less = (np.repeat(np.clip(np.rint(v), 0, 255).astype(np.uint8)[..., None], 3, 2) for v in (grain, -grain))

    def over(picture: np.ndarray, time_s: float) -> np.ndarray:
        x, y = np.random.default_rng(round(time_s * 1e6)).integers(0, margin, 2)
        part = np.s_[y : y + height, x : x + width]
        picture = cv2.add(picture, more[part], dst=picture)
        return cv2.subtract(picture, less[part], dst=picture)

    return over if sigma else lambda picture, _: picture


def _shot(
    size: tuple[int, int], rng: np.random.Generator, draw: Callable[..., np.ndarray]
) -> Callable[[float], np.ndarray]:
    """Return a camera that moves over a texture behind moving objects. Times are relative to the cut."""
    width, height = size
    size_ratio, count = FOOTAGE.texture_scale, FOOTAGE.objects
    scenery = draw(round(size_ratio * width), round(size_ratio * height), rng)
    room_x, room_y = (size_ratio - 1) * width, (size_ratio - 1) * height
    begin, speed = rng.uniform(0.3, 0.7, 2), rng.uniform(-0.06, 0.06, 2)
    zoom_speed = rng.uniform(-0.02, 0.03)
    places, moves = rng.uniform(0.1, 0.9, (count, 2)), rng.uniform(-0.12, 0.12, (count, 2))
    radii = (rng.uniform(0.03, 0.1, (count, 2)) * height).astype(int).tolist()
    colours = rng.integers(25, 215, (count, 3)).tolist()

    def at(time_s: float) -> np.ndarray:
        scale = 1 + zoom_speed * time_s
        x, y = np.clip(begin + speed * time_s, 0.0, 1.0) * (room_x, room_y)
        shift = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
        picture = cv2.warpAffine(scenery, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        centres = ((places + moves * time_s) * (width, height)).astype(int).tolist()
        for centre, axes, colour in zip(centres, radii, colours, strict=True):
            cv2.ellipse(picture, tuple(centre), tuple(axes), 0, 0, 360, colour, cv2.FILLED, cv2.LINE_AA)
        return picture

    return at


def _weathered(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture with uneven light and dirt."""
    return cv2.addWeighted(picture, 0.75, texture(picture.shape[1], picture.shape[0], rng), 0.25, 0)


def _floor(size: tuple[int, int]) -> np.ndarray:
    """Draw walls and floorboards."""
    width, height = size
    picture = np.full((height, width, 3), 150, dtype=np.uint8)
    picture[height * 3 // 5 :] = (110, 100, 90)
    for x in range(-width, 2 * width, max(width // 10, 1)):
        cv2.line(picture, (width // 2 + (x - width // 2) // 3, height * 3 // 5), (x, height), (84, 76, 70), 2)
    return picture


def _person(picture: np.ndarray, feet: tuple[float, float], tall: int, time_s: float) -> None:
    """Draw a person with a head, a body and two walking legs."""
    x, y = (round(v) for v in feet)
    swing = round(tall * 0.12 * np.sin(6 * time_s))
    for side in (swing, -swing):
        cv2.line(picture, (x, y - tall // 2), (x + side, y), (38, 40, 58), max(tall // 12, 2), cv2.LINE_AA)
    cv2.ellipse(picture, (x, y - tall * 2 // 3), (tall // 7, tall // 4), 0, 0, 360, (120, 52, 44), -1, cv2.LINE_AA)
    cv2.circle(picture, (x, y - tall), tall // 10, (205, 165, 140), -1, cv2.LINE_AA)
