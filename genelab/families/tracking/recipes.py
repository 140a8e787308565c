"""What a task package tells about its robots for clips: their feet, and the clips that can be made for them.

The package that holds a robot's model has a module `motions` with a function `motions(robot) -> Motions`.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from genelab.config.base import Cfg
from genelab.config.scene import RobotCfg
from genelab.functions import resolve_function


class FeetCfg(Cfg):
    """The two feet of a robot, and how it stands on them."""

    links: tuple[str, str]
    """Links of the left and of the right foot, flat on the ground in the default pose."""
    sole: PositiveFloat
    """Height of the links' origins above their flat soles, m."""
    middle: float
    """Where the weight goes in a foot: this far ahead of the link's origin, m."""


class WaveCfg(Cfg):
    """A value that swings in time and fades in and out."""

    size: float
    """Amplitude."""
    hz: NonNegativeFloat = 0.0
    """Frequency, Hz; of no use to a hold."""
    shape: Literal["sine", "dip", "hold"] = "sine"
    """size sin(2 pi hz t), or size (1 - cos(2 pi hz t)) / 2, or size alone."""


class StandCfg(Cfg):
    """A motion on two feet that stay where they are."""

    seconds: PositiveFloat
    """Length, s, with rest at both ends."""
    joints: Mapping[str, WaveCfg] = {}
    """Added to the default pose, rad, by joint. Legs follow from the rest."""
    lower: WaveCfg | None = None
    """How far the pelvis is below its default height, m."""
    aside: WaveCfg | None = None
    """Where the weight is, to the left of the middle, m."""


class WalkCfg(Cfg):
    """A walk with constant velocity, from standing to standing. All zero is a walk on the spot."""

    seconds: PositiveFloat
    """Time of the steps, s, rounded to whole steps."""
    forward: float = 0.0
    """Velocity along the robot's x axis, m/s."""
    left: float = 0.0
    """Velocity along its y axis, m/s."""
    turn: float = 0.0
    """Rate of turning to the left, rad/s."""
    stride: PositiveFloat
    """Time of two steps, s."""
    double: float = Field(gt=0.0, lt=1.0)
    """Share of a step with both feet on the ground."""
    lift: PositiveFloat
    """Height of the soles in the middle of a swing, m."""
    lower: NonNegativeFloat = 0.0
    """How far the pelvis is below its default height, m."""
    arms: Mapping[str, float] = {}
    """Amplitude of joints that swing with the opposite leg, rad; positive is added when the right foot is ahead."""


class Motions(Cfg):
    """Clips of a robot."""

    feet: FeetCfg
    """Its feet."""
    optional: tuple[str, ...] = ()
    """Joints by name pattern that a motion for a smaller sister of the robot lacks."""
    clips: Mapping[str, StandCfg | WalkCfg] = {}
    """What can be made, by name."""


def motions_of(robot: RobotCfg) -> Motions:
    """What the package of a robot's model tells about clips for it.

    Raises:
        InputError: if it tells nothing.
    """
    package = robot.model.partition(":")[0]
    motions: Motions = resolve_function(f"{package}.motions:motions")(robot)
    return motions
