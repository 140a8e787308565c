"""What the simulator builds: physics, robot, ground and objects."""

import math
from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from genelab.config.base import BROKEN_RULE, AssetRef, Cfg, Sha256, broken_rule, known_names
from genelab.config.model_file import ModelFile, read_model
from genelab.config.names import matching, rule_of, values_by_name
from genelab.errors import InputError

Vector = tuple[float, float, float]


SceneEngine = Literal["genesis", "mujoco"]
"""The simulators of scenes: packages of `genelab.sim`."""
EngineName = Literal[SceneEngine, "gymnasium"]
"""What may simulate an environment. `gymnasium` is whatever stands behind an environment of that library."""


class SimCfg(Cfg):
    """The simulator and its step."""

    engine: SceneEngine = "genesis"
    """Simulator. `mujoco` runs on the CPU alone."""
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

    armature: NonNegativeFloat | None = None
    """Inertia of the motors as it is seen at the joint, kg or kg m^2; null for that of the model file."""

    @property
    def max_effort(self) -> float:
        """Largest absolute force or torque, N or N m, infinite for none."""
        return math.inf if self.effort_limit is None else self.effort_limit

    @model_validator(mode="after")
    def _limits_fit_the_law(self) -> Self:
        if self.velocity_limit is not None and (self.law != "explicit_pd" or self.effort_limit is None):
            raise broken_rule("velocity_limit", self.velocity_limit, "needs law 'explicit_pd' and an effort_limit")
        if self.law == "velocity" and self.kp != 0.0:
            raise broken_rule("kp", self.kp, "must be 0 under law 'velocity'")
        return self


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
    """A robot: its model file, and what a task adds to it.

    Joints, ranges, passive joint terms, links, masses and the floating base are those of the file, in its order. They
    are read back after the build; a difference is an error.
    """

    model: AssetRef
    """MJCF file, `package:path`."""
    model_sha256: Sha256
    """Digest of the model file, so that an edited model changes the config."""
    pos: Vector = (0.0, 0.0, 0.0)
    """Added to the base position in the file, world frame, m. Of a floating base, where an episode starts, with z above
    the terrain, unless an event writes another."""
    default_pos: dict[str, float] = {}
    """Default pose: joint positions by name pattern, m or rad; 0 for joints that none matches."""
    default_armature: NonNegativeFloat | None = None
    """Armature that the loader gives to joints whose file says 0 (Genesis: 0.1 unless told); null for none."""
    left_out: tuple[str, ...] = ()
    """Geoms of the file that are left out, by name pattern, such as one of two shapes of a foot."""
    gravity_compensation: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of its own weight that the robot carries by itself, as the controllers of many arms do. Read back after the
    build."""
    sites: dict[str, SiteCfg] = {}
    """Points on links, by name, beside the sites of the file."""
    mirror: MirrorCfg | None = None
    """How left and right correspond; null for a robot that is not symmetric."""
    actuators: dict[str, ActuatorCfg] = Field(min_length=1)
    """Actuator groups by name. Every joint belongs to exactly one; a passive joint has zero gains."""

    @property
    def file(self) -> ModelFile:
        """What the model file says.

        Raises:
            InputError: if it is not the file of that digest, or cannot be read.
        """
        return read_model(self.model, self.model_sha256)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the moving joints, in the order of the file."""
        return tuple(self.file.joints)

    @property
    def links(self) -> tuple[str, ...]:
        """Names of the links, in the order of the file, parents first."""
        return self.file.links

    @property
    def base(self) -> str | None:
        """Link that floats freely; None for a robot that is fixed to the world."""
        return self.file.base

    @property
    def points(self) -> dict[str, SiteCfg]:
        """Sites of the file and of the config, by name."""
        of_file = {name: SiteCfg(link=link, pos=pos) for name, (link, pos) in self.file.sites.items()}
        return {**of_file, **self.sites}

    def range_of(self, joint: str) -> tuple[float, float] | None:
        """Lower and upper limit of a joint, m or rad; None for one that turns without end."""
        return self.file.joints[joint]

    def default_of(self, joint: str) -> float:
        """Position of a joint in the default pose, m or rad."""
        return values_by_name(self.default_pos, self.joints, "joint").get(joint, 0.0)

    def armature_of(self, joint: str, of_file: float) -> float:
        """Armature of a joint, kg or kg m^2, whose file says `of_file`."""
        own = self.actuator_of(joint).armature
        return own if own is not None else of_file or self.default_armature or 0.0

    @property
    def geoms_left_out(self) -> tuple[str, ...]:
        """The geoms that the patterns of `left_out` match."""
        return matching(self.left_out, self.file.geoms, "geom")

    def actuator_of(self, joint: str) -> ActuatorCfg:
        """Actuator group that holds a joint."""
        return next(group for group in self.actuators.values() if joint in self.joints_of(group))

    @model_validator(mode="after")
    def _model_is_the_one_named(self) -> Self:
        try:
            read_model(self.model, self.model_sha256)
        except InputError as error:
            # It names the field already.
            raise PydanticCustomError(BROKEN_RULE, "{told}", {"told": str(error)}) from error
        return self

    @model_validator(mode="after")
    def _geoms_left_out_exist(self) -> Self:
        with rule_of("left_out", list(self.left_out)):
            matching(self.left_out, self.file.geoms, "geom")
        return self

    @model_validator(mode="after")
    def _default_pose_is_within_the_ranges(self) -> Self:
        with rule_of("default_pos", self.default_pos):
            values_by_name(self.default_pos, self.joints, "joint")
        for joint, bounds in self.file.joints.items():
            position = self.default_of(joint)
            if bounds is not None and not bounds[0] <= position <= bounds[1]:
                raise broken_rule(f"default_pos.{joint}", position, f"must lie in the joint's range {list(bounds)}")
        return self

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
    def _sites_are_new_and_on_links(self) -> Self:
        for name, site in self.sites.items():
            known_names(f"sites.{name}.link", site.link, [site.link], "link", self.links)
            if name in self.file.sites:
                raise broken_rule(f"sites.{name}", "...", "is the name of a site in the model file already")
        return self

    @model_validator(mode="after")
    def _mirror_images_exist(self) -> Self:
        if self.mirror is None:
            return self
        for kind, known in (("joint", self.joints), ("site", self.points)):
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
        turned = {name: mirror_name(self.mirror, name)[1] < 0 for name in self.joints}
        for flip in self.mirror.flip:
            ends = [name for name in self.joints if name.endswith(flip)]
            if still := [name for name in ends if not turned[name]]:
                rule = f"joint {still[0]!r} is to change its sign, but begins with none of the prefixes"
                raise broken_rule("mirror.swap", [list(pair) for pair in self.mirror.swap], rule)
            if not ends:
                rule = f"no joint is called {flip!r} after its prefix"
                raise broken_rule("mirror.flip", list(self.mirror.flip), rule)
        return self

    def _check_mirror_pose(self, name: str, image: str, sign: float) -> None:
        """Positions are told from the default, so that of the image must be the image of the default."""
        own, other = self.default_of(name), self.default_of(image)
        if other != sign * own:
            rule = f"must be {sign * own:g}, the mirror image of that of {name!r}"
            raise broken_rule(f"default_pos.{image}", other, rule)

    def joints_of(self, group: ActuatorCfg) -> tuple[str, ...]:
        """Joints of an actuator group, in its order."""
        return matching(group.joints, self.joints, "joint")


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
