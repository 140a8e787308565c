"""What an action means."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, Tag

from genelab.config.base import TAG, Cfg, low_to_high, one_of
from genelab.config.names import matching, values_by_name

JOINT_TARGETS, DIFFERENTIAL_IK = "joint_targets", "differential_ik"


class JointTargetsCfg(Cfg):
    """A target for each joint, and what stands between policy and motors.

    A position is the default position + scale x action, a velocity, of joints whose actuator wants one, scale x action.
    The action that is observed and rewarded is the policy's own. What reaches the motors is that of `latency` control
    steps ago, plus noise; both only where disturbances are on.
    """

    kind: Literal["joint_targets"] = JOINT_TARGETS
    """Which of the actions it is."""
    joints: tuple[str, ...] = Field(default=(".*",), min_length=1)
    """Driven joints by name patterns. The order of the action vector is that of the patterns, and of the robot within
    one."""
    scale: float | dict[str, float] = 1.0
    """Target per unit of action, m, rad, m/s or rad/s: one for all joints or by name pattern. Zero locks a velocity."""
    latency: Annotated[tuple[NonNegativeInt, NonNegativeInt], AfterValidator(low_to_high)] = (0, 0)
    """Fewest and most control steps by which an action is late, drawn for each episode."""
    noise_std: NonNegativeFloat = 0.0
    """Standard deviation of the Gaussian noise on the delayed action, in action units."""

    def driven(self, joints: Iterable[str]) -> tuple[str, ...]:
        """Joints of a robot that get a target."""
        return matching(self.joints, joints, "joint")

    def columns(self, joints: Iterable[str]) -> tuple[str, ...]:
        """Names of the action's columns for a robot with these joints."""
        return self.driven(joints)

    def scales(self, joints: Iterable[str]) -> dict[str, float]:
        """Target per unit of action of each driven joint."""
        driven = self.driven(joints)
        if not isinstance(self.scale, dict):
            return dict.fromkeys(driven, self.scale)
        values = values_by_name(self.scale, driven, "joint", all_of=driven)
        return {joint: values[joint] for joint in driven}


class GripperCfg(Cfg):
    """A gripper whose fingers share one target: mean sensed position + scale x action, within its range."""

    joints: tuple[str, ...] = Field(min_length=1)
    """Finger joints by name patterns."""
    scale: PositiveFloat
    """Change of the target per unit of action, m."""
    range: Annotated[tuple[float, float], AfterValidator(low_to_high)]
    """Closed and open finger position, m."""


class DifferentialIkCfg(Cfg):
    """Displacement of a link in the world frame by damped least squares, and a gripper: (x, y, z, gripper).

    With the link's Jacobian J and dx = (scale x action, orientation_gain x rotation vector to the orientation of the
    default pose): dq = J^T (J J^T + damping^2 1)^-1 dx. The action is clipped to [-1, 1]; the target is the sensed
    joint position plus dq, within the joint limits.
    """

    kind: Literal["differential_ik"] = DIFFERENTIAL_IK
    """Which of the actions it is."""
    link: str
    """Link that is moved. It keeps the orientation of the default pose."""
    joints: tuple[str, ...] = Field(min_length=1)
    """Joints that move it by name patterns."""
    scale: PositiveFloat
    """Displacement per unit of action and control step, m."""
    damping: PositiveFloat
    """Damping of the least squares, m and rad."""
    orientation_gain: NonNegativeFloat
    """Share of the orientation error corrected per control step."""
    max_joint_step: PositiveFloat
    """Largest change of a joint per control step, rad."""
    gripper: GripperCfg
    """The gripper at its end."""

    def arm(self, joints: Iterable[str]) -> tuple[str, ...]:
        """Joints of a robot that move the link."""
        return matching(self.joints, joints, "joint")

    def fingers(self, joints: Iterable[str]) -> tuple[str, ...]:
        """Finger joints of a robot."""
        return matching(self.gripper.joints, joints, "joint")

    def driven(self, joints: Iterable[str]) -> tuple[str, ...]:
        """Joints of a robot that get a target."""
        return (*self.arm(joints), *self.fingers(joints))

    def columns(self, joints: Iterable[str]) -> tuple[str, ...]:
        """Names of the action's columns."""
        return (f"{self.link}_x", f"{self.link}_y", f"{self.link}_z", "gripper")


ActionCfg = Annotated[
    Annotated[JointTargetsCfg, Tag(f"{TAG}{JOINT_TARGETS}")]
    | Annotated[DifferentialIkCfg, Tag(f"{TAG}{DIFFERENTIAL_IK}")],
    one_of("kind"),
]
"""What an action means."""
