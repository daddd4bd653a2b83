"""Lines from labelled words: the detector finds lines, several data sets label words."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.core.geometry import rectangle


@dataclass(frozen=True, slots=True)
class LineRules:
    """Conditions under which two upright words belong to one line; chosen by eye on ICDAR 2003 (training part).

    gap: largest space between them. overlap: least common height. ratio: largest height of one to the other. All but
    the last in heights of the lower word.
    """

    gap: float = 0.9
    overlap: float = 0.6
    ratio: float = 1.7


RULES = LineRules()


def lines_of_words(words: Sequence[np.ndarray], rules: LineRules = RULES) -> list[np.ndarray]:
    """Merge upright word quads into upright line quads, left to right."""
    boxes = sorted((*quad.min(axis=0).tolist(), *quad.max(axis=0).tolist()) for quad in words)
    lines: list[list[float]] = []
    for left, top, right, bottom in boxes:
        for line in lines:
            if _continues(line, (left, top, right, bottom), rules):
                line[1], line[2], line[3] = min(line[1], top), max(line[2], right), max(line[3], bottom)
                # The words that follow are compared with the last word, since lines may slope.
                line[4:] = [top, right, bottom]
                break
        else:
            lines.append([left, top, right, bottom, top, right, bottom])
    return [rectangle(left, top, right - left, bottom - top) for left, top, right, bottom, *_ in lines]


def _continues(line: list[float], word: tuple[float, float, float, float], rules: LineRules) -> bool:
    last_top, last_right, last_bottom = line[4:]
    left, top, _, bottom = word
    lower, higher = sorted((bottom - top, last_bottom - last_top))
    common = min(bottom, last_bottom) - max(top, last_top)
    return (
        higher <= rules.ratio * lower
        and common >= rules.overlap * lower
        and -0.5 * lower <= left - last_right <= rules.gap * lower
    )


def uncovered(quads: Sequence[np.ndarray], by: Sequence[np.ndarray], least: float = 0.5) -> list[np.ndarray]:
    """Return the quads of which less than the share ``least`` of their area lies in the quads ``by``."""
    hulls = [cv2.convexHull(np.asarray(quad, np.float32)) for quad in by]
    left = []
    for quad in quads:
        hull = cv2.convexHull(np.asarray(quad, np.float32))
        common = sum(cv2.intersectConvexConvex(hull, other)[0] for other in hulls)
        if common < least * cv2.contourArea(hull):
            left.append(quad)
    return left
