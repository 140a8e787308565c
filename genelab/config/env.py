"""The environment over a simulated scene: robot, observations, actions, rewards, terminations and events."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genelab.config.actions import ActionCfg, DifferentialIkCfg
from genelab.config.base import Cfg, broken_rule, known_names
from genelab.config.names import matching, rule_of
from genelab.config.scene import BoxCfg, EngineName, GroundCfg, RobotCfg, SimCfg
from genelab.config.terms import (
    CommandCfg,
    GoalCfg,
    IntervalEventCfg,
    MeasureCfg,
    ObservationGroupCfg,
    PartCfg,
    RandomizationCfg,
    ResetEventCfg,
    RewardTermCfg,
    TermCfg,
    TerminationCfg,
)
from genelab.config.terrain import TerrainCfg
from genelab.config.timed import TimedCfg


class FeetCfg(Cfg):
    """Which points of a robot are its feet, and when they touch the ground."""

    sites: tuple[str, ...] = Field(min_length=1)
    """Sites of the robot by name patterns."""
    force_threshold: PositiveFloat = 1.0
    """Net contact force on a foot's link above which it is in contact, N."""


class EnvCfg(TimedCfg):
    """A vectorised environment over a scene."""

    decimation: PositiveInt
    """Physics steps per control step."""
    episode_length_s: PositiveFloat
    """Time limit of an episode, s."""
    sim: SimCfg
    """The simulator."""
    robot: RobotCfg
    """The robot."""
    ground: GroundCfg | None = None
    """The ground; null for none. A plane, or what the terrain is made of."""
    terrain: TerrainCfg | None = None
    """Uneven ground; null for a plane."""
    objects: dict[str, BoxCfg] = {}
    """Free bodies by name."""
    feet: FeetCfg | None = None
    """The feet of a legged robot; null for none."""
    parts: dict[str, PartCfg] = {}
    """Further parts by name, after the feet: what they show, terms read."""
    action: ActionCfg
    """What an action means."""
    observations: dict[str, ObservationGroupCfg]
    """Observation groups by name. Which it needs is the learner's business."""
    commands: dict[str, CommandCfg] = {}
    """What the policy is asked for, by name."""
    goal: GoalCfg | None = None
    """What is to be reached, of a task whose success is to reach something; null for none."""
    rewards: dict[str, RewardTermCfg] = Field(min_length=1)
    """Reward terms by name."""
    reward_per: Literal["second", "step"] = "second"
    """What the weights of the rewards refer to: a second (weight x value x control dt) or a control step."""
    terminations: dict[str, TerminationCfg]
    """Termination terms by name. The time limit is a truncation and stands in `episode_length_s`."""
    reset_events: dict[str, ResetEventCfg]
    """What is written when an episode starts, in order, after what parts write."""
    disturbances: dict[str, IntervalEventCfg] = {}
    """Interval events of training. Off in evaluation unless the protocol says otherwise."""
    randomizations: dict[str, RandomizationCfg] = {}
    """Properties of the robot that are drawn anew. Off where disturbances are."""
    measures: dict[str, MeasureCfg] = {}
    """What an evaluation measures beside the return."""

    @model_validator(mode="after")
    def _names_fit_the_robot(self) -> Self:
        action, robot = self.action, self.robot
        with rule_of("action.joints", list(action.joints)):
            joints = matching(action.joints, robot.joints, "joint")
        if isinstance(action, DifferentialIkCfg):
            known_names("action.link", action.link, [action.link], "link", robot.links)
            with rule_of("action.gripper.joints", list(action.gripper.joints)):
                if twice := [joint for joint in action.fingers(robot.joints) if joint in joints]:
                    raise ValueError(f"joint {twice[0]!r} stands in action.joints already")
        else:
            with rule_of("action.scale", action.scale):
                action.scales(robot.joints)
        with rule_of("feet.sites", list(self.feet.sites) if self.feet else None):
            self.feet_sites  # noqa: B018
        for joint in robot.joints:
            group = robot.actuator_of(joint)
            if joint not in self.driven and (group.kp or group.kv):
                rule = f"must drive {joint!r}: it has gains in robot.actuators, and would hang limp"
                raise broken_rule("action.joints", list(action.joints), rule)
            if isinstance(action, DifferentialIkCfg) and joint in self.driven and group.law == "velocity":
                raise broken_rule(
                    "action.kind", action.kind, f"cannot drive {joint!r}, whose actuator wants velocities"
                )
        self._check_terrain()
        if self.goal is not None:
            known_names("goal.command", self.goal.command, [self.goal.command], "command", self.commands)
        return self

    def _check_terrain(self) -> None:
        if self.terrain is not None:
            if self.ground is None:
                raise broken_rule("ground", None, "must say what the terrain is made of")
            if self.robot.base is None:
                raise broken_rule("terrain", "...", "needs a robot whose model file has a floating base")

    def terms(self) -> list[tuple[str, TermCfg]]:
        """Every term but the goal, each with its dotted path."""
        parts: dict[str, Mapping[str, TermCfg]] = {
            **{f"observations.{name}.terms": group.terms for name, group in self.observations.items()},
            "rewards": self.rewards,
            "terminations": self.terminations,
            "reset_events": self.reset_events,
            "disturbances": self.disturbances,
            "commands": self.commands,
            "randomizations": self.randomizations,
            "measures": self.measures,
            "parts": self.parts,
        }
        return [(f"{part}.{name}", term) for part, group in parts.items() for name, term in group.items()]

    @property
    def driven(self) -> tuple[str, ...]:
        """Joints that get a target, in its order."""
        return self.action.driven(self.robot.joints)

    @property
    def action_columns(self) -> tuple[str, ...]:
        """Names of the action's columns."""
        return self.action.columns(self.robot.joints)

    @property
    def action_scale(self) -> dict[str, float]:
        """Target per unit of action of each joint; empty for an action that moves a hand."""
        return {} if isinstance(self.action, DifferentialIkCfg) else self.action.scales(self.robot.joints)

    @property
    def feet_sites(self) -> tuple[str, ...]:
        """Sites that are feet; empty for a robot without."""
        return matching(self.feet.sites, self.robot.points, "site") if self.feet else ()

    @property
    def engine(self) -> EngineName:
        """What simulates it."""
        return self.sim.engine

    @property
    def resume(self) -> Literal["exact"]:
        """A scene is saved and restored to the last bit."""
        return "exact"

    @property
    def control_dt(self) -> float:
        """Control period, s."""
        return self.sim.dt * self.decimation

    @property
    def reward_unit(self) -> object:
        """Equal for two environments whose rewards mean the same."""
        return self.rewards, self.reward_per, self.control_dt

    @property
    def length_s(self) -> float:
        """Time limit of an episode, s."""
        return self.episode_length_s
