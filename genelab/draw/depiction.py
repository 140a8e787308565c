"""What a picture shows of one environment: where everything is, and what a task adds to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]
"""Shape: (height, width, 3), RGB."""
Canvas = Any
"""A `PIL.ImageDraw.ImageDraw`."""
Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, 0 to 1."""

GREEN: Colour = (0.18, 0.63, 0.26, 1.0)
"""What is asked for."""
BLUE: Colour = (0.12, 0.47, 0.71, 1.0)
"""What is achieved."""


def rgb(colour: Colour) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255."""
    red, green, blue = (round(255 * part) for part in colour[:3])
    return red, green, blue


@dataclass(frozen=True)
class Pose:
    """Where the robot and the objects of an environment are, world frame."""

    joint_pos: Floats
    """Joint positions in the order of the robot, m or rad. Shape: (num_joints,)."""
    base_pose_w: Floats | None = None
    """Position (m) and orientation (w x y z) of a floating base; None for a robot without one. Shape: (7,)."""
    object_pose_w: Floats = field(default_factory=lambda: np.empty((0, 7)))
    """The same of the objects. Shape: (num_objects, 7)."""


@dataclass(frozen=True)
class Ball:
    """A ball in the scene."""

    pos_w: Floats
    """Its centre, world frame, m. Shape: (3,)."""
    radius: float
    """m."""
    colour: Colour


@dataclass(frozen=True)
class Arrow:
    """An arrow above the robot."""

    start_w: Floats
    """Where it starts, world frame, m. Shape: (2,)."""
    above: float
    """Its height above the robot's highest point, m."""
    vector_w: Floats
    """From there to its tip, m. Shape: (3,)."""
    colour: Colour


@dataclass(frozen=True)
class Ghost:
    """The robot a second time, translucent."""

    pose: Pose


Mark = Ball | Arrow | Ghost


@dataclass(frozen=True)
class Depiction:
    """What a part of an environment, or a family of tasks, adds to a picture."""

    lines: tuple[str, ...] = ()
    """Text."""
    marks: tuple[Mark, ...] = ()
    """Shapes in the scene."""
    draw: Callable[[Canvas, tuple[int, int]], None] | None = None
    """Draws over the picture, whose width and height in pixels it is told; None for nothing."""
