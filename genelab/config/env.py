"""The environment: simulator, robot, observations, actions, rewards, terminations and events."""

import math
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from genelab.config.base import AssetRef, Cfg, FuncRef, Param, Sha256


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
    range: tuple[float, float]
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
    interval_s: tuple[PositiveFloat, PositiveFloat]
    """Shortest and longest time between two events, s, drawn uniformly."""


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
