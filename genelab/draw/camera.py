"""Where the camera stands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genelab.draw.depiction import Floats

FOV_Y = math.radians(35.0)
"""Angle of view from the lower to the upper edge of a picture, rad."""
BESIDE, ABOVE, BELOW = 0.9, 0.7, 0.92
"""How much of the picture what moves may take, from its middle to an edge. Above there is text."""
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


@dataclass(frozen=True)
class Followed:
    """What a camera follows at a moment."""

    pos_w: Floats
    """World frame, m. Shape: (3,)."""
    yaw: float
    """Heading from which it is looked at as if that were the world's x, rad."""


STILL = Followed(np.zeros(3), 0.0)


def frame(points_w: Sequence[Floats], followed: Sequence[Followed], aspect: float) -> list[Camera]:
    """Cameras of one distance, each as near as all points of all moments allow.

    Args:
        points_w: what must be in the picture at each moment, m. Shape of each: (any, 3).
        followed: what the camera follows at each moment; `STILL` for a camera that stands still.
        aspect: width of the picture by its height.
    """
    width, depth, height = np.ptp(np.concatenate(points_w), axis=0)
    flat = followed[0] is STILL and depth < FLAT * max(width, height)
    azimuth, elevation = FROM_THE_SIDE if flat else FROM_A_CORNER
    cameras = [Camera(each.pos_w, 1.0, azimuth + math.degrees(each.yaw), elevation) for each in followed]
    seen = [(points - camera.lookat_w) @ camera.axes.T for points, camera in zip(points_w, cameras, strict=True)]
    right, up, forward = np.concatenate(seen).T
    tan_y = math.tan(FOV_Y / 2)
    x, wide = _between(right, forward, BESIDE * tan_y * aspect, BESIDE * tan_y * aspect)
    y, high = _between(up, forward, ABOVE * tan_y, BELOW * tan_y)
    shift, distance = np.array([x, y, 0.0]), max(wide, high)
    return [replace(each, lookat_w=each.lookat_w + shift @ each.axes, distance=distance) for each in cameras]


def _between(across: Floats, forward: Floats, upper: float, lower: float) -> tuple[float, float]:
    """Where a camera aims along one axis of its picture, and from how far, to have all points between two tangents.

    A point at `across` and `forward` of what is followed, m, is seen at (across - aim) / (distance + forward).
    """
    above, below = float((across / upper - forward).max()), float((-across / lower - forward).max())
    aim = (above - below) / (1 / upper + 1 / lower)
    return aim, above - aim / upper


def smoothed(path: Floats, dt: float) -> Floats:
    """A path averaged over the time around each moment. Shape: (moments, 3), `dt` apart, s."""
    reach = math.ceil(3 * SMOOTHING_S / dt)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * dt / SMOOTHING_S) ** 2)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, weights / weights.sum(), mode="valid") for column in padded.T], axis=1)
