"""Where the camera stands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genelab.draw.depiction import Floats

FOV_Y = math.radians(35.0)
"""Angle of view from the lower to the upper edge of a picture, rad."""
FILLED = 0.88
"""Share of the picture's width or height that what moves may take."""
FLAT = 0.4
"""What stands still and is thinner than this share of its width or height is looked at from the side."""
FROM_THE_SIDE, FROM_A_CORNER = (98.0, -8.0), (140.0, -18.0)
"""Azimuth of the view from a robot that faces along x, and elevation, degrees."""
SMOOTHING_S = 0.4
"""Standard deviation in time of the average by which the camera follows, s."""


@dataclass(frozen=True)
class Camera:
    """A camera that looks at a point."""

    lookat_w: Floats
    """The point, world frame, m. Shape: (3,)."""
    distance: float
    """From there, m."""
    azimuth: float
    """Direction of the view, degrees from x to y."""
    elevation: float
    """Its rise, degrees: below 0 it looks down."""

    @property
    def axes(self) -> Floats:
        """Rows: unit vectors to the right, up and forward. Shape: (3, 3)."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        forward = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
        right = np.array([math.sin(a), -math.cos(a), 0.0])
        return np.array([right, np.cross(right, forward), forward])


def frame(points_w: Sequence[Floats], path_w: Floats | None, aspect: float) -> list[Camera]:
    """Cameras of one direction and distance, each as near as all points of all moments allow.

    Args:
        points_w: what must be in the picture at each moment, m. Shape of each: (any, 3).
        path_w: what the camera follows, m; None for a camera that stands still. Shape: (moments, 3).
        aspect: width of the picture by its height.
    """
    middles_w = np.zeros((len(points_w), 3)) if path_w is None else path_w
    away = np.concatenate([points - middle for points, middle in zip(points_w, middles_w, strict=True)])
    width, depth, height = np.ptp(away, axis=0)
    flat = path_w is None and depth < FLAT * max(width, height)
    azimuth, elevation = FROM_THE_SIDE if flat else FROM_A_CORNER
    axes = Camera(np.zeros(3), 1.0, azimuth, elevation).axes
    seen = away @ axes.T
    # The middle of what is seen, not of what is followed, is the middle of the picture.
    shift = (seen.min(axis=0) + seen.max(axis=0)) / 2
    right, up, forward = (seen - shift).T
    tan_y = FILLED * math.tan(FOV_Y / 2)
    distance = float((np.maximum(np.abs(right) / (tan_y * aspect), np.abs(up) / tan_y) - forward).max())
    return [Camera(middle + shift @ axes, distance, azimuth, elevation) for middle in middles_w]


def smoothed(path: Floats, dt: float) -> Floats:
    """A path averaged over the time around each moment. Shape: (moments, 3), `dt` apart, s."""
    reach = math.ceil(3 * SMOOTHING_S / dt)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * dt / SMOOTHING_S) ** 2)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, weights / weights.sum(), mode="valid") for column in padded.T], axis=1)
