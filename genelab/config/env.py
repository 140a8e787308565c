"""The environment: scene, observations, actions, rewards, terminations and events."""

import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genelab.config.actions import ActionCfg, DifferentialIkCfg, JointTargetsCfg
from genelab.config.base import Cfg, broken_rule, known_names, no_name_twice
from genelab.config.scene import BoxCfg, GroundCfg, RobotCfg, SimCfg
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


class FeetCfg(Cfg):
    """Which points of a robot are its feet, and when they touch the ground."""

    sites: tuple[str, ...] = Field(min_length=1)
    """Sites of the robot."""
    force_threshold: PositiveFloat = 1.0
    """Net contact force on a foot's link above which it is in contact, N."""

    @model_validator(mode="after")
    def _every_site_once(self) -> Self:
        no_name_twice("sites", self.sites)
        return self


class EnvCfg(Cfg):
    """A vectorised environment."""

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
    reset_events: dict[str, ResetEventCfg] = Field(min_length=1)
    """What is written when an episode starts, in order."""
    disturbances: dict[str, IntervalEventCfg] = {}
    """Interval events of training. Off in evaluation unless the protocol says otherwise."""
    randomizations: dict[str, RandomizationCfg] = {}
    """Properties of the robot that are drawn anew. Off where disturbances are."""
    measures: dict[str, MeasureCfg] = {}
    """What an evaluation measures beside the return."""

    @model_validator(mode="after")
    def _names_fit_the_robot(self) -> Self:
        joints = list(self.action.joints)
        known_names("action.joints", joints, joints, "joint", self.robot.joints)
        if isinstance(self.action, DifferentialIkCfg):
            known_names("action.link", self.action.link, [self.action.link], "link", self.robot.links)
            fingers = list(self.action.gripper.joints)
            known_names("action.gripper.joints", fingers, fingers, "joint", self.robot.joints)
            if twice := [joint for joint in fingers if joint in joints]:
                raise broken_rule(
                    "action.gripper.joints", fingers, f"joint {twice[0]!r} stands in action.joints already"
                )
        if self.feet is not None:
            known_names("feet.sites", list(self.feet.sites), self.feet.sites, "site", self.robot.sites)
        for group_name, group in self.robot.actuators.items():
            idle = [joint for joint in group.joints if joint not in self.action.driven]
            if idle and (group.kp or group.kv):
                rule = f"must drive {idle[0]!r}: it has gains in robot.actuators.{group_name}, and would hang limp"
                raise broken_rule("action.joints", joints, rule)
        laws = {joint: self.robot.law_of(joint) for joint in self.action.driven}
        if not isinstance(self.action, JointTargetsCfg) and "velocity" in laws.values():
            joint = next(joint for joint, law in laws.items() if law == "velocity")
            raise broken_rule(
                "action.kind", self.action.kind, f"cannot drive {joint!r}, whose actuator wants velocities"
            )
        if isinstance(self.action, JointTargetsCfg):
            for name, group in self.action.groups.items():
                if len({laws[joint] == "velocity" for joint in group.joints}) > 1:
                    rule = "must be joints whose actuators all want positions or all want velocities"
                    raise broken_rule(f"action.groups.{name}.joints", list(group.joints), rule)
        self._check_terrain()
        if self.goal is not None:
            known_names("goal.command", self.goal.command, [self.goal.command], "command", self.commands)
        return self

    def _check_terrain(self) -> None:
        if self.terrain is not None:
            if self.ground is None:
                raise broken_rule("ground", None, "must say what the terrain is made of")
            if self.robot.base is None:
                raise broken_rule("terrain", "...", "needs a robot with a floating base (robot.base)")

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
