"""A task: environment, learner, budget and evaluation protocol under one identifier."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, StringConstraints, model_validator

from genelab.config.agent import AgentCfg, PpoCfg, SacCfg
from genelab.config.base import Cfg, FuncRef, Seed, broken_rule, known_names
from genelab.config.env import EnvCfg
from genelab.config.terms import CurriculumCfg

TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*-v\d+$")]


class TrainCfg(Cfg):
    """What a training has beside its environment and its learner: an evaluation knows none of it."""

    num_envs: PositiveInt
    """Parallel environments."""
    iterations: PositiveInt
    """Learning iterations in total."""
    curriculum: CurriculumCfg | None = None
    """How environments move between the levels of the terrain; null to draw the level of every episode."""


CaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that a dotted path may hold."""


class ProbeCfg(Cfg):
    """Fixed commands under which a policy shows what it can do: no disturbances, mean action, no reset."""

    command: str
    """Command that is fixed."""
    achieved: FuncRef
    """Function of the state view; returns what is to be compared with the command, component by component."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Names of the command's components, for tables."""
    cases: dict[CaseName, tuple[float, ...]] = Field(min_length=1)
    """Commands by name; each has exactly one component other than 0, the one that is measured."""
    num_envs: PositiveInt = 64
    """Environments of each case."""
    warm_up_steps: PositiveInt = 100
    """Control steps before the measurement."""
    measured_steps: PositiveInt = 200
    """Control steps of the measurement."""
    seed: Seed = 0
    """Seed of start and noise; those of environment k of a case depend on (seed, its number) alone."""

    @model_validator(mode="after")
    def _one_component_each(self) -> Self:
        for name, case in self.cases.items():
            if len(case) != len(self.columns):
                raise broken_rule(
                    f"cases.{name}", list(case), f"must have {len(self.columns)} components, as columns has"
                )
            if sum(part != 0.0 for part in case) != 1:
                raise broken_rule(f"cases.{name}", list(case), "must have exactly one component other than 0")
        return self


class WarmStartCfg(Cfg):
    """Training that starts from the policy of another task, the stage before, trained first with the same seed.

    Weights of policy and value network, their normalisers and the action noise come from it. The optimiser starts anew,
    and iterations are counted from 0.
    """

    task: TaskId
    """The stage before."""
    variant: str | None = None
    """Variant of it; null for the task itself."""
    fresh_joints: tuple[str, ...] = ()
    """Joints whose action noise starts at `agent.init_std` again, and of whose columns a running normaliser forgets
    what it knows."""
    locked_joints: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Those of them that the stage before held still. What its networks make of them is chance: their mean action
    starts at 0, and so do the weights of the observation columns that name them. Of their last actions the weights
    stay: those were drawn and seen in the stage before, too, and meant nothing."""
    normalizer_count: PositiveInt | None = None
    """Observations that the normaliser is taken to have seen at most, so that it can still adapt; null for as many as
    it has."""
    new_terms: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Observation terms that the stage before does not have. Their weights start at 0: the policy acts as it did until
    it learns what they are good for."""


class ProtocolCfg(Cfg):
    """The fixed evaluation protocol. Episode k's draws depend on (seed, k) alone."""

    id: Literal["numbered-episodes"] = "numbered-episodes"
    """Name of the counting rule: every one of episodes 0..N-1 runs to its end and counts once."""
    version: Literal[1] = 1
    """Version of the protocol."""
    episodes: PositiveInt = 100
    """Numbered episodes."""
    num_envs: PositiveInt = 64
    """Parallel environments; changes speed, not results."""
    seed: Seed = 0
    """Evaluation seed, in a stream of its own."""
    max_episode_s: PositiveFloat = 30.0
    """Cap on an episode, s, if the task's own limit is longer."""
    deterministic: bool = True
    """Whether the policy acts by its mean."""
    observation_noise: bool = True
    """Whether observation noise stays on."""
    disturbances: bool = False
    """Whether the training disturbances stay on."""
    round_trip_episodes: PositiveInt = 16
    """Episodes on which the reloaded policy must reproduce the in-memory one."""


class TaskSpec(Cfg):
    """A registered task, with everything that training and evaluation need."""

    id: TaskId
    """Identifier, ending in -vN; N rises when the task becomes another task."""
    variant: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", exclude_if=lambda name: name is None)
    """Name of a variant of the task's learner, training and stage before; null for the task."""
    summary: str
    """One line on what is to be learnt."""
    task_version: PositiveInt
    """Rises with every change of reward, observation or physics under one identifier."""
    package: str
    """Import name of the package that defines the task."""
    return_ceiling: float | None = None
    """Largest possible return of an episode; null if unknown."""
    published_as: str | None = None
    """Task of the published reference tables whose rows stand beside ours; null for none."""
    env: EnvCfg
    """The environment."""
    agent: AgentCfg
    """The learner."""
    train: TrainCfg
    """How many environments a seed trains in, and how long."""
    warm_start: WarmStartCfg | None = Field(default=None, exclude_if=lambda start: start is None)
    """The stage before; null for a task that is trained from scratch."""
    demonstrator: FuncRef | None = Field(default=None, exclude_if=lambda ref: ref is None)
    """Class of the scripted controller that `genelab collect-demos` runs; null for none."""
    protocol: ProtocolCfg = ProtocolCfg()
    """How a checkpoint is evaluated."""
    probe: ProbeCfg | None = Field(default=None, exclude_if=lambda probe: probe is None)
    """How `genelab probe` looks at a checkpoint; null for a task without a command to fix."""
    overlay: FuncRef | None = None
    """Class that draws beside a film what the task is about; null for none."""

    @property
    def stage_before(self) -> tuple[str, str | None] | None:
        """Task and variant of the stage before; None for a task that is trained from scratch."""
        return None if self.warm_start is None else (self.warm_start.task, self.warm_start.variant)

    @model_validator(mode="after")
    def _fixed_normalization_has_bounds(self) -> Self:
        for group, cfg in self.env.observations.items():
            missing = [name for name, term in cfg.terms.items() if term.bounds is None]
            if missing and self.agent.normalization == "fixed":
                rule = f"needs env.observations.{group}.terms.{missing[0]}.bounds"
                raise broken_rule("agent.normalization", "fixed", rule)
            still = [name for name, term in cfg.terms.items() if term.scale == 0.0]
            if still and self.agent.normalization == "fixed":
                rule = f"needs a scale other than 0 in env.observations.{group}.terms.{still[0]}"
                raise broken_rule("agent.normalization", "fixed", rule)
        return self

    @model_validator(mode="after")
    def _curriculum_has_a_terrain(self) -> Self:
        if self.train.curriculum is not None and self.env.terrain is None:
            raise broken_rule("train.curriculum", "...", "needs a terrain to move on")
        return self

    @model_validator(mode="after")
    def _learner_fits_the_environment(self) -> Self:
        missing = [name for name in self.agent.groups if name not in self.env.observations]
        if missing:
            rule = f"must hold the group {missing[0]!r}, which {self.agent.algorithm} needs"
            raise broken_rule("env.observations", list(self.env.observations), rule)
        match self.agent:
            case PpoCfg():
                _check_mini_batches(self.agent, self.train)
                if self.agent.symmetry and self.env.robot.mirror is None:
                    raise broken_rule("agent.symmetry", True, "needs env.robot.mirror")
            case SacCfg():
                _check_replay(self.agent, self.env, self.train)
        return self

    @model_validator(mode="after")
    def _probe_names_a_command(self) -> Self:
        if self.probe is not None:
            known_names("probe.command", self.probe.command, [self.probe.command], "command", self.env.commands)
            steps = self.probe.warm_up_steps + self.probe.measured_steps
            if steps >= self.env.max_episode_steps:
                rule = (
                    f"must stay below the {self.env.max_episode_steps} control steps of an episode with warm_up_steps"
                )
                raise broken_rule("probe.measured_steps", self.probe.measured_steps, rule)
        return self

    @model_validator(mode="after")
    def _warm_start_names_joints(self) -> Self:
        if self.warm_start is not None:
            for field in ("fresh_joints", "locked_joints"):
                joints = list(getattr(self.warm_start, field))
                known_names(f"warm_start.{field}", joints, joints, "joint", self.env.action.columns)
            still_noisy = [j for j in self.warm_start.locked_joints if j not in self.warm_start.fresh_joints]
            if still_noisy:
                rule = "must be in warm_start.fresh_joints too: the noise of a joint that never moved is chance"
                raise broken_rule("warm_start.locked_joints", still_noisy[0], rule)
            new = list(self.warm_start.new_terms)
            terms = {name for group in self.env.observations.values() for name in group.terms}
            known_names("warm_start.new_terms", new, new, "observation term", sorted(terms))
            if self.agent.algorithm != "ppo":
                raise broken_rule("warm_start.task", self.warm_start.task, "needs agent.algorithm 'ppo'")
        return self


def _check_mini_batches(agent: PpoCfg, train: TrainCfg) -> None:
    rows = train.num_envs * agent.num_steps_per_env
    if rows < agent.num_mini_batches:
        rule = f"must not be above the {rows} rows of a rollout (train.num_envs x agent.num_steps_per_env)"
        raise broken_rule("agent.num_mini_batches", agent.num_mini_batches, rule)


def _check_replay(agent: SacCfg, env: EnvCfg, train: TrainCfg) -> None:
    """The replay buffer must hold a whole episode of every environment, and one must have ended when learning starts.

    An open episode cannot be judged by a goal achieved later.
    """
    if env.goal is None:
        raise broken_rule("env.goal", None, "must be given, because hindsight replay judges by other goals")
    stacked = next((name for name, group in env.observations.items() if group.history > 1), None)
    if stacked is not None:
        rule = "must be 1: hindsight replay changes the goal in one frame"
        raise broken_rule(f"env.observations.{stacked}.history", env.observations[stacked].history, rule)
    unbounded = next((name for name, term in env.rewards.items() if term.bounds is None), None)
    if unbounded is not None:
        rule = "must be given: the guard of SAC compares its values with what the reward allows"
        raise broken_rule(f"env.rewards.{unbounded}.bounds", None, rule)
    if agent.actor.activation != agent.critic.activation:
        rule = f"must be {agent.actor.activation!r}, that of the actor: stable_baselines3 has one for both"
        raise broken_rule("agent.critic.activation", agent.critic.activation, rule)
    episode = train.num_envs * env.max_episode_steps
    if agent.learning_starts <= episode:
        rule = f"must be above the {episode} transitions of one episode of every environment"
        if agent.demo_path is not None:
            # Whoever changed the number may not know that this decides it as well.
            rule += f"; the {train.num_envs} of train.num_envs must also be those of the demonstrations"
        raise broken_rule("agent.learning_starts", agent.learning_starts, rule)
    if agent.buffer_size < 2 * episode:
        rule = f"must be at least {2 * episode}, two episodes of every environment"
        raise broken_rule("agent.buffer_size", agent.buffer_size, rule)
