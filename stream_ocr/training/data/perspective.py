"""A flat thing as a camera sees it that does not stand straight before it."""

import random

import numpy as np

from stream_ocr.core.geometry import rectangle


def turned(width: float, height: float, *, yaw: float, pitch: float, roll: float, distance: float) -> np.ndarray:
    """Return the corners (4, 2) of a rectangle about the origin, rotated in space and projected.

    yaw, pitch, roll: radians about the upright, the level and the optical axis. distance: of the camera, in longer
    sides. What lies at that distance keeps its size.
    """
    away = distance * max(width, height)
    points = np.column_stack([rectangle(-width / 2, -height / 2, width, height), np.zeros(4)])
    sines, cosines = np.sin([yaw, pitch, roll]), np.cos([yaw, pitch, roll])
    about_y = np.array([[cosines[0], 0, sines[0]], [0, 1, 0], [-sines[0], 0, cosines[0]]])
    about_x = np.array([[1, 0, 0], [0, cosines[1], -sines[1]], [0, sines[1], cosines[1]]])
    about_z = np.array([[cosines[2], -sines[2], 0], [sines[2], cosines[2], 0], [0, 0, 1]])
    points = points @ (about_z @ about_x @ about_y).T
    seen: np.ndarray = points[:, :2] * (away / (away + points[:, 2:]))
    return seen


def view(width: float, height: float, rng: random.Random) -> np.ndarray:
    """Return a rectangle about the origin as a passer-by might see it: mostly level and from the front."""
    roll = rng.gauss(0, 5) if rng.random() < 0.85 else rng.uniform(-60, 60)
    yaw, pitch = (rng.gauss(0, 28), rng.gauss(0, 12)) if rng.random() < 0.6 else (rng.gauss(0, 5), rng.gauss(0, 4))
    yaw, pitch, roll = np.deg2rad([np.clip(yaw, -65, 65), np.clip(pitch, -40, 40), roll])
    corners = turned(width, height, yaw=yaw, pitch=pitch, roll=roll, distance=rng.uniform(1.1, 4))
    return corners - (corners.min(axis=0) + corners.max(axis=0)) / 2
