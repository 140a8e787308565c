"""The environment: simulator, robot, observations, actions, rewards, terminations and events."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from genelab.config.base import AssetRef, Cfg, FuncRef, Param, Sha256, broken_rule

GROUPS = ("policy", "critic")
"""Observation groups that every environment has."""

LOW_TO_HIGH = "must be [low, high] with low not above high"


def _low_to_high(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(LOW_TO_HIGH)
    return bounds


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError("must be [low, high] with low below high")
    return bounds


def _check_names(field: str, value: Param, names: Sequence[Param], kind: str, known: Iterable[str]) -> None:
    unknown = [name for name in names if name not in tuple(known)]
    if unknown:
        raise broken_rule(field, value, f"unknown {kind} {unknown[0]!r}; known: {', '.join(known)}")


class SimCfg(Cfg):
    """The physics step."""

    dt: PositiveFloat = 0.005
    """Physics time step, s."""
    substeps: PositiveInt = 1
    """Integrator steps per physics step."""
    gravity: tuple[float, float, float] = (0.0, 0.0, -9.81)
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
    range: Annotated[tuple[float, float], AfterValidator(_low_to_high)]
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
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the base position in the file, world frame, m."""
    default_armature: NonNegativeFloat | None = None
    """Armature that the loader gives to joints whose file says 0 (Genesis: 0.1 unless told); null for none."""
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
            _check_names(field, value, value, "joint", self.joints)
            for joint in value:
                if joint in group_of:
                    raise broken_rule(field, value, f"joint {joint!r} stands in group {group_of[joint]!r} already")
                group_of[joint] = name
        missing = [joint for joint in self.joints if joint not in group_of]
        if missing:
            raise broken_rule("actuators", list(self.actuators), f"no group holds joint {missing[0]!r}")
        return self


class ActionCfg(Cfg):
    """Joint position targets: target = default position + offset + scale x action."""

    joints: tuple[str, ...] = Field(min_length=1)
    """Driven joints, in the order of the action vector."""
    scale: float = 1.0
    """Target change per unit of action, m or rad."""
    offset: float = 0.0
    """Constant added to the target, m or rad."""


class ObservationTermCfg(Cfg):
    """One observation: (value + noise) x scale."""

    func: FuncRef
    """Function of the state view; returns (num_envs, dim)."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    noise: NonNegativeFloat | None = None
    """Half width of the uniform noise added before the scale, in the unit of the value; null for none."""
    scale: float = 1.0
    """Factor applied after the noise."""
    bounds: tuple[Annotated[tuple[float, float], AfterValidator(_rising)], ...] | None = Field(
        default=None, min_length=1
    )
    """Lowest and highest value that physics allows or the task expects, in the unit of the value, before noise and
    scale: one pair per dimension, or one for all. `agent.normalization = fixed` maps it to -1 and 1, without clipping.
    Null where none is known."""


class ObservationGroupCfg(Cfg):
    """Observations concatenated in the order in which they stand."""

    terms: dict[str, ObservationTermCfg] = Field(min_length=1)
    """Observation terms by name; the order is the layout."""
    noise: bool
    """Whether the noise of the terms applies in this group."""


class RewardTermCfg(Cfg):
    """One reward term: weight x value x control dt."""

    func: FuncRef
    """Function of the state view; returns (num_envs,)."""
    weight: float
    """Reward per second and unit of value."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class TerminationCfg(Cfg):
    """One reason to end an episode."""

    func: FuncRef
    """Function of the state view; returns (num_envs,) bool."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class ResetEventCfg(Cfg):
    """A state written when an episode starts."""

    func: FuncRef
    """Function of the event context; returns the state to write."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class IntervalEventCfg(Cfg):
    """A state written at random intervals. The timer of an environment runs on across its episodes."""

    func: FuncRef
    """Function of the event context; returns the state to write."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    interval_s: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_low_to_high)]
    """Shortest and longest time between two events, s, drawn uniformly."""


_TermCfg = ObservationTermCfg | RewardTermCfg | TerminationCfg | ResetEventCfg | IntervalEventCfg


class EnvCfg(Cfg):
    """A vectorised environment."""

    num_envs: PositiveInt
    """Parallel environments in training."""
    decimation: PositiveInt
    """Physics steps per control step."""
    episode_length_s: PositiveFloat
    """Time limit of an episode, s."""
    sim: SimCfg
    """The simulator."""
    robot: RobotCfg
    """The robot."""
    action: ActionCfg
    """What an action means."""
    observations: dict[str, ObservationGroupCfg]
    """Observation groups. `policy` feeds the actor, `critic` the critic."""
    rewards: dict[str, RewardTermCfg] = Field(min_length=1)
    """Reward terms by name."""
    terminations: dict[str, TerminationCfg]
    """Termination terms by name. The time limit is a truncation and stands in `episode_length_s`."""
    reset_events: dict[str, ResetEventCfg] = Field(min_length=1)
    """What is written when an episode starts, in order."""
    disturbances: dict[str, IntervalEventCfg] = {}
    """Interval events of training. Off in evaluation unless the protocol says otherwise."""

    @model_validator(mode="after")
    def _names_and_parameters_fit_the_robot(self) -> Self:
        missing = [name for name in GROUPS if name not in self.observations]
        if missing:
            raise broken_rule("observations", list(self.observations), f"must hold the group {missing[0]!r}")
        driven = list(self.action.joints)
        _check_names("action.joints", driven, driven, "joint", self.robot.joints)
        for field, params in self._params():
            for name, value in params.items():
                self._check_param(f"{field}.params.{name}", name, value)
        return self

    def _params(self) -> list[tuple[str, Mapping[str, Param]]]:
        """Parameters of every term, each with the path of its term."""
        terms: dict[str, Mapping[str, _TermCfg]] = {
            **{f"observations.{name}.terms": group.terms for name, group in self.observations.items()},
            "rewards": self.rewards,
            "terminations": self.terminations,
            "reset_events": self.reset_events,
            "disturbances": self.disturbances,
        }
        return [(f"{part}.{name}", term.params) for part, group in terms.items() for name, term in group.items()]

    def _check_param(self, field: str, name: str, value: Param) -> None:
        """The rules of the parameter names that mean the same in every term. A null is the function's business."""
        if value is None:
            return
        if name == "joints":
            if not isinstance(value, list) or not value:
                raise broken_rule(field, value, "must be a list of one or more joints")
            _check_names(field, value, value, "joint", self.robot.joints)
        elif name in ("joint_a", "joint_b"):
            _check_names(field, value, [value], "joint", self.robot.joints)
        elif name == "link":
            _check_names(field, value, [value], "link", self.robot.links)
        elif name in ("position_range", "velocity_range"):
            match value:
                case [int() | float() as low, int() | float() as high] if low <= high:
                    pass
                case _:
                    raise broken_rule(field, value, LOW_TO_HIGH)

    @property
    def control_dt(self) -> float:
        """Control period, s."""
        return self.sim.dt * self.decimation

    @property
    def max_episode_steps(self) -> int:
        """Control steps until an episode is truncated."""
        return self.control_steps(self.episode_length_s)

    def control_steps(self, seconds: float) -> int:
        """Control steps that cover a time, rounded up."""
        # Rounded first: 10.0 / (0.005 * 2) must give 1000 whatever the float division says.
        return math.ceil(round(seconds / self.control_dt, 6))
