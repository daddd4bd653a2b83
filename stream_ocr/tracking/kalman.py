"""Constant-velocity Kalman filter of a text box (filterpy), in seconds.

State: centre, size, and the velocities of both. Noise scales with the height of the text, so that one setting suits
small print and titles.
"""

import math
from dataclasses import dataclass

import numpy as np
from filterpy.kalman import KalmanFilter

from stream_ocr.core.geometry import side_lengths

_MEASUREMENT = np.hstack([np.eye(4), np.zeros((4, 4))])


@dataclass(frozen=True, slots=True)
class BoxFilterNoise:
    """Noise of the filter: standard deviations in heights, of centre x, y, width and height."""

    min_height: float = 4.0
    """Lowest height that scales the noise, in pixels."""

    initial: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.1)
    """Deviations of the first detection."""

    initial_velocity: tuple[float, float, float, float] = (5.0, 5.0, 0.5, 0.5)
    """Deviations of the velocities before anything was measured, in heights per second."""

    detection: tuple[float, float, float, float] = (0.12, 0.08, 0.25, 0.12)
    """Deviations of a box from the detector."""

    match: float = 0.04
    """Deviation of a centre from template matching."""

    acceleration: tuple[float, float, float, float] = (6.0, 6.0, 0.5, 0.5)
    """Deviations of the acceleration, in heights per second squared."""

    growth_time_constant_s: float = 0.5
    """Time constant in seconds with which growth decays between detections, which alone measure it (decision 0016)."""


NOISE = BoxFilterNoise()


class BoxFilter:
    """Filters the position and size of one quad; its slant is that of the last detection."""

    def __init__(self, quad: np.ndarray) -> None:
        width, height = side_lengths(quad)
        self._unit = max(height, NOISE.min_height)
        self._kalman = KalmanFilter(dim_x=8, dim_z=4)
        self._kalman.H = _MEASUREMENT
        self._kalman.x = np.concatenate([quad.mean(axis=0), [width, height], np.zeros(4)])
        self._kalman.P = np.diag([*NOISE.initial, *NOISE.initial_velocity]) ** 2 * self._unit**2
        self._axes = _axes_of(quad)
        self._shape = _shape_of(quad)
        self._quad: np.ndarray | None = None
        self._step_s = math.nan

    @property
    def velocity(self) -> np.ndarray:
        """Velocity of the centre (x, y), in pixels per second."""
        return np.asarray(self._kalman.x[4:6], dtype=np.float64)

    def quad(self) -> np.ndarray:
        """Return the estimated quad, (4, 2) in pixels of the frame."""
        if self._quad is None:
            centre, size = self._kalman.x[:2], np.maximum(self._kalman.x[2:4], 1.0)
            along, across = self._axes
            self._quad = centre + self._shape[:, :1] * size[0] * along + self._shape[:, 1:] * size[1] * across
        return self._quad

    def predict(self, dt_s: float) -> None:
        """Advance the state by ``dt_s`` seconds."""
        if not math.isclose(dt_s, self._step_s):
            self._step_s = dt_s
            self._kalman.F, self._kalman.Q = _motion(dt_s, self._unit)
        self._kalman.predict()
        self._quad = None

    def update_quad(self, quad: np.ndarray) -> None:
        """Update position, size and slant from a quad that the detector found."""
        width, height = side_lengths(quad)
        self._shape = _shape_of(quad)
        self._axes = _axes_of(quad)
        spread = np.array(NOISE.detection) * self._unit
        self._kalman.update(np.concatenate([quad.mean(axis=0), [width, height]]), R=np.diag(spread**2))
        self._quad = None

    def update_centre(self, centre: np.ndarray) -> None:
        """Update the position from a centre that template matching found, (x, y)."""
        spread = NOISE.match * self._unit
        self._kalman.update(centre, R=np.eye(2) * spread**2, H=_MEASUREMENT[:2])
        self._quad = None

    def move_to(self, centre: np.ndarray) -> None:
        """Set the predicted centre, (x, y)."""
        self._kalman.x[:2] = centre
        self._quad = None

    def set_velocity(self, velocity: np.ndarray) -> None:
        """Set the velocity of the centre, in pixels per second, as measured in earlier frames."""
        self._kalman.x[4:6] = velocity

    def stop(self) -> None:
        """Reset the velocities to 0, when the text is lost."""
        self._kalman.x[4:] = 0


def _motion(dt_s: float, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the transition matrix and the process noise of a time step, (8, 8) each. unit: pixels per height."""
    transition = np.eye(8)
    transition[:4, 4:] = np.eye(4) * dt_s
    transition[6:, 6:] *= math.exp(-dt_s / NOISE.growth_time_constant_s)
    variance = np.diag((np.array(NOISE.acceleration) * unit) ** 2)
    noise = np.kron([[dt_s**4 / 4, dt_s**3 / 2], [dt_s**3 / 2, dt_s**2]], variance)
    return transition, noise


def _axes_of(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors along and across the reading direction, (2,) each."""
    along = (quad[1] - quad[0]) + (quad[2] - quad[3])
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    return along, np.array([-along[1], along[0]])


def _shape_of(quad: np.ndarray) -> np.ndarray:
    """Return the corners relative to the centre, in widths along and heights across the line, (4, 2)."""
    along, across = _axes_of(quad)
    width, height = side_lengths(quad)
    offsets = quad - quad.mean(axis=0)
    return np.stack([offsets @ along / max(width, 1e-6), offsets @ across / max(height, 1e-6)], axis=1)
