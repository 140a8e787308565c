"""What the simulator builds: physics, robot, ground and objects."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from genelab.config.base import AssetRef, Cfg, Sha256, broken_rule, known_names, low_to_high
from genelab.config.names import matching, rule_of

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
    """Integrator of the physics."""
    collision: bool = True
    """Whether contacts are computed. Off only for a model in which nothing can touch."""


ActuatorLaw = Literal["implicit_pd", "explicit_pd", "velocity"]


class ActuatorCfg(Cfg):
    """A group of joints under one law, limited to the effort limit.

    `implicit_pd`: force = kp (target - q) - kv qdot, within the integrator's step. `explicit_pd`: the same force,
    computed before each physics step from the state at its beginning. `velocity`: force = kv (target - qdot), implicit.
    """

    law: ActuatorLaw = "implicit_pd"
    """Which of the laws it is."""
    joints: tuple[str, ...] = Field(min_length=1)
    """Joints by name patterns."""
    kp: NonNegativeFloat
    """Position gain, N/m or N m/rad."""
    kv: NonNegativeFloat
    """Velocity gain, N s/m or N m s/rad."""
    effort_limit: PositiveFloat | None = None
    """Largest absolute force or torque, N or N m; null for none."""
    velocity_limit: PositiveFloat | None = None
    """Speed at which an explicit actuator has no force left in the direction of motion, m/s or rad/s, falling linearly
    from the effort limit at rest; null for none. The implicit laws know no such limit, so it is refused there."""

    @model_validator(mode="after")
    def _limits_fit_the_law(self) -> Self:
        if self.velocity_limit is not None and (self.law != "explicit_pd" or self.effort_limit is None):
            raise broken_rule("velocity_limit", self.velocity_limit, "needs law 'explicit_pd' and an effort_limit")
        if self.law == "velocity" and self.kp != 0.0:
            raise broken_rule("kp", self.kp, "must be 0 under law 'velocity'")
        return self


def _no_limits(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if limits is None else low_to_high(limits)


class JointCfg(Cfg):
    """One joint. All but the default is read back after the build; a difference is an error."""

    default_pos: float = 0.0
    """Default position, m or rad."""
    range: Annotated[tuple[float, float] | None, AfterValidator(_no_limits)]
    """Lower and upper limit, m or rad; null for a joint that turns without end."""
    armature: NonNegativeFloat
    """Rotor inertia added to the joint, kg or kg m^2."""
    damping: NonNegativeFloat
    """Viscous damping of the joint itself, N s/m or N m s/rad."""
    frictionloss: NonNegativeFloat = 0.0
    """Dry friction of the joint itself, N or N m."""

    @model_validator(mode="after")
    def _default_is_in_range(self) -> Self:
        if self.range is not None and not self.range[0] <= self.default_pos <= self.range[1]:
            raise broken_rule("default_pos", self.default_pos, f"must lie in range {list(self.range)}")
        return self


class FloatingBaseCfg(Cfg):
    """A base that moves freely."""

    link: str
    """Root link of the model."""
    mass: PositiveFloat
    """Mass of the whole robot, kg. Read back after the build; a difference is an error."""


class SiteCfg(Cfg):
    """A point fixed to a link, such as a foot."""

    link: str
    """Link that it moves with."""
    pos: Vector = (0.0, 0.0, 0.0)
    """Position in the link's frame, m."""


class MirrorCfg(Cfg):
    """How left and right correspond, by name, under reflection at the robot's x-z plane."""

    swap: tuple[tuple[str, str], ...] = Field(min_length=1)
    """Prefixes of the names of joints and sites on the left and on the right, such as `FL_` and `FR_`."""
    flip: tuple[str, ...]
    """Joints whose coordinate changes its sign, by the rest of their name after the prefix, or by the whole name of one
    in the middle: those that turn about the robot's x or z axis. The others keep theirs."""


def mirror_name(mirror: MirrorCfg, name: str) -> tuple[str, float]:
    """Name of the mirror image of a joint or a site, and the sign of a joint's coordinate there, 1 or -1."""
    for pair in mirror.swap:
        for own, other in (pair, pair[::-1]):
            if name.startswith(own):
                rest = name.removeprefix(own)
                return f"{other}{rest}", -1.0 if rest in mirror.flip else 1.0
    return name, -1.0 if name in mirror.flip else 1.0


class RobotCfg(Cfg):
    """A robot: its model file and what must be true of it in the simulator."""

    model: AssetRef
    """MJCF file, `package:path`."""
    model_sha256: Sha256
    """Digest of the model file, so that an edited model changes the config."""
    pos: Vector = (0.0, 0.0, 0.0)
    """Added to the base position in the file, world frame, m. Of a floating base, where an episode starts, with z above
    the terrain, unless an event writes another."""
    base: FloatingBaseCfg | None = None
    """The floating base; null for a base that is fixed to the world."""
    default_armature: NonNegativeFloat | None = None
    """Armature that the loader gives to joints whose file says 0 (Genesis: 0.1 unless told); null for none."""
    gravity_compensation: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of its own weight that the robot carries by itself, as the controllers of many arms do. Read back after the
    build."""
    joints: dict[str, JointCfg] = Field(min_length=1)
    """Every moving joint by name."""
    links: tuple[str, ...] = Field(min_length=1)
    """Links whose state the terms read."""
    sites: dict[str, SiteCfg] = {}
    """Points on those links, by name."""
    mirror: MirrorCfg | None = None
    """How left and right correspond; null for a robot that is not symmetric."""
    actuators: dict[str, ActuatorCfg] = Field(min_length=1)
    """Actuator groups by name. Every joint belongs to exactly one; a passive joint has zero gains."""

    @model_validator(mode="after")
    def _every_joint_has_one_actuator_group(self) -> Self:
        group_of: dict[str, str] = {}
        for name, group in self.actuators.items():
            with rule_of(f"actuators.{name}.joints", list(group.joints)):
                for joint in self.joints_of(group):
                    if joint in group_of:
                        raise ValueError(f"joint {joint!r} stands in group {group_of[joint]!r} already")
                    group_of[joint] = name
        missing = [joint for joint in self.joints if joint not in group_of]
        if missing:
            raise broken_rule("actuators", list(self.actuators), f"no group holds joint {missing[0]!r}")
        return self

    @model_validator(mode="after")
    def _links_are_among_those_read(self) -> Self:
        if self.base is not None:
            known_names("base.link", self.base.link, [self.base.link], "link", self.links)
        for name, site in self.sites.items():
            known_names(f"sites.{name}.link", site.link, [site.link], "link", self.links)
        return self

    @model_validator(mode="after")
    def _mirror_images_exist(self) -> Self:
        if self.mirror is None:
            return self
        for kind, known in (("joint", self.joints), ("site", self.sites)):
            for name in known:
                image, sign = mirror_name(self.mirror, name)
                if image not in known:
                    rule = f"the mirror image of {kind} {name!r} would be {image!r}, which the robot does not have"
                    raise broken_rule("mirror.swap", [list(pair) for pair in self.mirror.swap], rule)
                if kind == "joint":
                    self._check_mirror_pose(name, image, sign)
        swapped = [prefix for pair in self.mirror.swap for prefix in pair]
        for prefix in swapped:
            if not any(name.startswith(prefix) for name in self.joints):
                rule = f"no joint's name begins with {prefix!r}"
                raise broken_rule("mirror.swap", [list(pair) for pair in self.mirror.swap], rule)
        turned = [mirror_name(self.mirror, name)[1] for name in self.joints]
        for name, sign in zip(self.joints, turned, strict=True):
            if sign > 0 and any(name.endswith(flip) for flip in self.mirror.flip):
                rule = f"joint {name!r} is to change its sign, but begins with none of the prefixes"
                raise broken_rule("mirror.swap", [list(pair) for pair in self.mirror.swap], rule)
        for flip in self.mirror.flip:
            if not any(name == flip or name.endswith(flip) for name in self.joints):
                raise broken_rule(
                    "mirror.flip", list(self.mirror.flip), f"no joint is called {flip!r} after its prefix"
                )
        if all(sign > 0 for sign in turned) and self.mirror.flip:
            raise broken_rule("mirror.flip", list(self.mirror.flip), "changes the sign of no joint")
        return self

    def _check_mirror_pose(self, name: str, image: str, sign: float) -> None:
        """Positions are told from the default, so that of the image must be the image of the default."""
        own, other = self.joints[name].default_pos, self.joints[image].default_pos
        if other != sign * own:
            rule = f"must be {sign * own:g}, the mirror image of that of {name!r}"
            raise broken_rule(f"joints.{image}.default_pos", other, rule)

    def joints_of(self, group: ActuatorCfg) -> tuple[str, ...]:
        """Joints of an actuator group, in its order."""
        return matching(group.joints, self.joints, "joint")

    def actuator_of(self, joint: str) -> ActuatorCfg:
        """Actuator group that holds a joint."""
        return next(group for group in self.actuators.values() if joint in self.joints_of(group))


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
