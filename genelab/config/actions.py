"""What an action means."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, Tag

from genelab.config.base import TAG, Cfg, low_to_high, one_of

JOINT_POSITION, DIFFERENTIAL_IK = "joint_position", "differential_ik"


class JointPositionCfg(Cfg):
    """Joint position targets: target = default position + offset + scale x action."""

    kind: Literal["joint_position"] = Field(default=JOINT_POSITION, exclude_if=lambda kind: kind == JOINT_POSITION)
    """Which of the actions it is."""
    joints: tuple[str, ...] = Field(min_length=1)
    """Driven joints, in the order of the action vector."""
    scale: float = 1.0
    """Target change per unit of action, m or rad."""
    offset: float = 0.0
    """Constant added to the target, m or rad."""

    @property
    def driven(self) -> tuple[str, ...]:
        """Joints that get a target."""
        return self.joints

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the action's columns."""
        return self.joints


class GripperCfg(Cfg):
    """A gripper whose fingers share one target: mean sensed position + scale x action, within its range."""

    joints: tuple[str, ...] = Field(min_length=1)
    """Finger joints."""
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
    """Joints that move it."""
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

    @property
    def driven(self) -> tuple[str, ...]:
        """Joints that get a target."""
        return (*self.joints, *self.gripper.joints)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the action's columns."""
        return (f"{self.link}_x", f"{self.link}_y", f"{self.link}_z", "gripper")


ActionCfg = Annotated[
    Annotated[JointPositionCfg, Tag(f"{TAG}{JOINT_POSITION}")]
    | Annotated[DifferentialIkCfg, Tag(f"{TAG}{DIFFERENTIAL_IK}")],
    # Snapshots of joint positions name no kind: they are older than the others.
    one_of("kind", JOINT_POSITION),
]
