"""What an action means."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, Tag, model_validator

from genelab.config.base import TAG, Cfg, broken_rule, low_to_high, no_name_twice, one_of

JOINT_POSITION, JOINT_TARGETS, DIFFERENTIAL_IK = "joint_position", "joint_targets", "differential_ik"


class JointPositionCfg(Cfg):
    """Joint position targets: target = default position + offset + scale x action."""

    kind: Literal["joint_position"] = JOINT_POSITION
    """Which of the actions it is."""
    joints: tuple[str, ...] = Field(min_length=1)
    """Driven joints, in the order of the action vector."""
    scale: float = 1.0
    """Target change per unit of action, m or rad."""
    offset: float = 0.0
    """Constant added to the target, m or rad."""

    @model_validator(mode="after")
    def _every_joint_once(self) -> Self:
        no_name_twice("joints", self.joints)
        return self

    @property
    def driven(self) -> tuple[str, ...]:
        """Joints that get a target."""
        return self.joints

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the action's columns."""
        return self.joints


class JointTargetCfg(Cfg):
    """Targets of a group of joints, positions or velocities as their actuator's law wants."""

    joints: tuple[str, ...] = Field(min_length=1)
    """Driven joints, in the order of the action vector."""
    scale: float
    """Target per unit of action: m or rad added to the default position, or m/s or rad/s. Zero locks a velocity."""


class JointTargetsCfg(Cfg):
    """Targets of several groups of joints, one after the other, and what stands between policy and motors.

    The action that is observed and rewarded is the policy's own. What reaches the motors is that of `latency` control
    steps ago, plus noise; both only where disturbances are on.
    """

    kind: Literal["joint_targets"] = JOINT_TARGETS
    """Which of the actions it is."""
    groups: dict[str, JointTargetCfg] = Field(min_length=1)
    """Groups of joints by name; the order is the layout."""
    latency: Annotated[tuple[NonNegativeInt, NonNegativeInt], AfterValidator(low_to_high)] = (0, 0)
    """Fewest and most control steps by which an action is late, drawn for each episode."""
    noise_std: NonNegativeFloat = 0.0
    """Standard deviation of the Gaussian noise on the delayed action, in action units."""

    @model_validator(mode="after")
    def _every_joint_once(self) -> Self:
        twice = [joint for joint in self.joints if self.joints.count(joint) > 1]
        if twice:
            raise broken_rule("groups", list(self.groups), f"joint {twice[0]!r} stands in more than one place")
        return self

    @property
    def joints(self) -> tuple[str, ...]:
        """Driven joints, in the order of the action vector."""
        return tuple(joint for group in self.groups.values() for joint in group.joints)

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
    | Annotated[JointTargetsCfg, Tag(f"{TAG}{JOINT_TARGETS}")]
    | Annotated[DifferentialIkCfg, Tag(f"{TAG}{DIFFERENTIAL_IK}")],
    one_of("kind"),
]
