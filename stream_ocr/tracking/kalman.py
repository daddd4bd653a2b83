"""Constant-velocity Kalman filter of a text box, in seconds (filterpy).

State: centre, size, and the velocities of both. Noise scales with the height of the text, so that one setting
serves small print and titles.
"""

import math

import numpy as np
from filterpy.kalman import KalmanFilter

from stream_ocr.core.geometry import extent

_GROWING_S = 0.5
"""How long a text goes on growing or shrinking that is not detected again: its size is measured by nothing else."""

_H = np.hstack([np.eye(4), np.zeros((4, 4))])


class BoxFilter:
    """The motion of one quad: position and size are filtered, its slant is that of the last detection."""

    def __init__(self, quad: np.ndarray) -> None:
        width, height = extent(quad)
        self._unit = max(height, 4.0)
        self._kalman = KalmanFilter(dim_x=8, dim_z=4)
        self._kalman.H = _H
        self._kalman.x = np.concatenate([quad.mean(axis=0), [width, height], np.zeros(4)])
        self._kalman.P = np.diag([0.1, 0.1, 0.2, 0.1, 5.0, 5.0, 0.5, 0.5]) ** 2 * self._unit**2
        self._axes = _axes_of(quad)
        self._shape = _shape_of(quad)
        self._quad: np.ndarray | None = None
        self._step_s = math.nan

    @property
    def velocity(self) -> np.ndarray:
        """(x, y) in pixels a second."""
        return np.asarray(self._kalman.x[4:6], dtype=np.float64)

    def quad(self) -> np.ndarray:
        """The quad where it is believed to be now, (4, 2)."""
        if self._quad is None:
            centre, size = self._kalman.x[:2], np.maximum(self._kalman.x[2:4], 1.0)
            along, across = self._axes
            self._quad = centre + self._shape[:, :1] * size[0] * along + self._shape[:, 1:] * size[1] * across
        return self._quad

    def predict(self, dt_s: float) -> None:
        """Carry the state ``dt_s`` seconds on."""
        if not math.isclose(dt_s, self._step_s):
            self._step_s = dt_s
            self._kalman.F, self._kalman.Q = _motion(dt_s, self._unit)
        self._kalman.predict()
        self._quad = None

    def detected(self, quad: np.ndarray) -> None:
        """Take in a quad found by the detector."""
        width, height = extent(quad)
        self._shape = _shape_of(quad)
        self._axes = _axes_of(quad)
        spread = np.array([0.12, 0.08, 0.25, 0.12]) * self._unit
        self._kalman.update(np.concatenate([quad.mean(axis=0), [width, height]]), R=np.diag(spread**2))
        self._quad = None

    def seen_at(self, centre: np.ndarray) -> None:
        """Take in a centre found by looking for the text's own picture."""
        spread = 0.04 * self._unit
        self._kalman.update(centre, R=np.eye(2) * spread**2, H=_H[:2])
        self._quad = None

    def start_moving(self, velocity: np.ndarray) -> None:
        """Begin with a velocity known from earlier pictures, in pixels a second."""
        self._kalman.x[4:6] = velocity

    def stop(self) -> None:
        """Forget the velocity: the text is out of sight."""
        self._kalman.x[4:] = 0


def _motion(dt_s: float, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Transition and noise of the state for a step in time, (8, 8) each; pushes are in heights a second squared."""
    transition = np.eye(8)
    transition[:4, 4:] = np.eye(4) * dt_s
    transition[6:, 6:] *= math.exp(-dt_s / _GROWING_S)
    push = np.diag((np.array([6.0, 6.0, 0.5, 0.5]) * unit) ** 2)
    noise = np.kron([[dt_s**4 / 4, dt_s**3 / 2], [dt_s**3 / 2, dt_s**2]], push)
    return transition, noise


def _axes_of(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along and across the reading direction."""
    along = (quad[1] - quad[0]) + (quad[2] - quad[3])
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    return along, np.array([-along[1], along[0]])


def _shape_of(quad: np.ndarray) -> np.ndarray:
    """The corners relative to the centre, in widths along and heights across. (4, 2)"""
    along, across = _axes_of(quad)
    width, height = extent(quad)
    offsets = quad - quad.mean(axis=0)
    return np.stack([offsets @ along / max(width, 1e-6), offsets @ across / max(height, 1e-6)], axis=1)
