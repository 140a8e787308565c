"""What the simulator builds: physics, robot, ground and objects."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from genelab.config.base import AssetRef, Cfg, Sha256, broken_rule, known_names, low_to_high

Vector = tuple[float, float, float]


class SimCfg(Cfg):
    """The physics step."""

    dt: PositiveFloat = 0.005
    """Physics time step, s."""
    substeps: PositiveInt = 1
    """Integrator steps per physics step."""
    gravity: Vector = (0.0, 0.0, -9.81)
    """Gravity in the world frame, m/s^2."""
    integrator: Literal["approximate_implicitfast", "implicitfast", "Euler"] = "approximate_implicitfast"
    """Genesis integrator."""
    collision: bool = True
    """Whether contacts are computed. Off only for a model in which nothing can touch."""


class ActuatorCfg(Cfg):
    """A group of joints under one implicit PD law: force = kp (target - q) - kv qdot."""

    joints: tuple[str, ...] = Field(min_length=1)
    """Joint names."""
    kp: NonNegativeFloat
    """Position gain, N/m or N m/rad."""
    kv: NonNegativeFloat
    """Velocity gain, N s/m or N m s/rad."""
    effort_limit: PositiveFloat | None = None
    """Largest absolute force or torque, N or N m; null for none."""


class JointCfg(Cfg):
    """One joint. Range, armature and damping are read back after the build; a difference is an error."""

    default_pos: float = 0.0
    """Default position, m or rad."""
    range: Annotated[tuple[float, float], AfterValidator(low_to_high)]
    """Lower and upper limit, m or rad."""
    armature: NonNegativeFloat
    """Rotor inertia added to the joint, kg or kg m^2."""
    damping: NonNegativeFloat
    """Viscous damping of the joint itself, N s/m or N m s/rad."""


class RobotCfg(Cfg):
    """A fixed-base robot: its model file and what must be true of it in the simulator."""

    model: AssetRef
    """MJCF file, `package:path`."""
    model_sha256: Sha256
    """Digest of the model file, so that an edited model changes the config."""
    pos: Vector = (0.0, 0.0, 0.0)
    """Added to the base position in the file, world frame, m."""
    default_armature: NonNegativeFloat | None = None
    """Armature that the loader gives to joints whose file says 0 (Genesis: 0.1 unless told); null for none."""
    gravity_compensation: float = Field(default=0.0, ge=0.0, le=1.0, exclude_if=lambda share: share == 0.0)
    """Share of its own weight that the robot carries by itself, as the controllers of many arms do. Read back after the
    build."""
    joints: dict[str, JointCfg] = Field(min_length=1)
    """Every moving joint by name."""
    links: tuple[str, ...] = Field(min_length=1)
    """Links whose state the terms read."""
    actuators: dict[str, ActuatorCfg] = Field(min_length=1)
    """Actuator groups by name. Every joint belongs to exactly one; a passive joint has zero gains."""

    @model_validator(mode="after")
    def _every_joint_has_one_actuator_group(self) -> Self:
        group_of: dict[str, str] = {}
        for name, group in self.actuators.items():
            field, value = f"actuators.{name}.joints", list(group.joints)
            known_names(field, value, value, "joint", self.joints)
            for joint in value:
                if joint in group_of:
                    raise broken_rule(field, value, f"joint {joint!r} stands in group {group_of[joint]!r} already")
                group_of[joint] = name
        missing = [joint for joint in self.joints if joint not in group_of]
        if missing:
            raise broken_rule("actuators", list(self.actuators), f"no group holds joint {missing[0]!r}")
        return self


class GroundCfg(Cfg):
    """A horizontal plane at z = 0."""

    friction: PositiveFloat = 1.0
    """Friction of the plane, read back after the build. A contact takes the larger friction of the two that touch."""


class BoxCfg(Cfg):
    """A free box."""

    size: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    """Edge lengths, m."""
    mass: PositiveFloat
    """Mass, kg. Read back after the build; a difference is an error."""
    friction: PositiveFloat = 1.0
    """Friction. A contact takes the larger friction of the two that touch."""
    pos: Vector
    """Position of its centre after the build and at the start of an episode, unless an event writes another, m."""
