"""One stage of a training: environment, learner, how long, and what it starts with."""

from typing import Annotated, Any, Self

from pydantic import Discriminator, PositiveFloat, PositiveInt, Tag, model_validator

from genelab.config.agent import AgentCfg, OffPolicyCfg, PpoCfg, one_activation
from genelab.config.base import TAG, Cfg, broken_rule, known_names
from genelab.config.env import EnvCfg
from genelab.config.names import matching, rule_of
from genelab.config.terms import CurriculumCfg
from genelab.config.vector import VectorEnvCfg
from genelab.errors import InputError


def _env_kind(value: Any) -> str:
    vector = "make" in value if isinstance(value, dict) else isinstance(value, VectorEnvCfg)
    return f"{TAG}{'vector' if vector else 'scene'}"


AnyEnvCfg = Annotated[
    Annotated[EnvCfg, Tag(f"{TAG}scene")] | Annotated[VectorEnvCfg, Tag(f"{TAG}vector")], Discriminator(_env_kind)
]
"""An environment: over a scene, or, if it has `make`, one that a function makes."""


class TrainCfg(Cfg):
    """What a training has beside its environment and its learner: an evaluation knows none of it."""

    num_envs: PositiveInt
    """Parallel environments."""
    iterations: PositiveInt
    """Learning iterations."""
    episode_length_s: PositiveFloat | None = None
    """Time limit of the episodes of a training, s; null for that of the environment."""
    staggered: bool = False
    """Whether the first episode of environment i of n ends after (i + 1) / n of the time limit, so that later episodes
    begin at different times. Without it, a rollout of a task whose episodes all last as long shows one part of them."""
    curriculum: CurriculumCfg | None = None
    """How environments move between the levels of the terrain; null to draw the level of every episode."""


class StartCfg(Cfg):
    """What a training starts anew of the policy that it starts from: that of the stage before, or of `--checkpoint`.

    Weights of policy and value network, their normalisers and the action noise come from it. The optimiser starts anew.
    """

    fresh_joints: tuple[str, ...] = ()
    """Joints, by name pattern, whose action noise starts at `agent.init_std` again, and of whose columns a running
    normaliser forgets what it knows."""
    locked_joints: tuple[str, ...] = ()
    """Those of them that were held still before. What the networks make of them is chance: their mean action starts at
    0, and so do the weights of the observation columns that name them. Of their last actions the weights stay: those
    were drawn and seen before, too, and meant nothing."""
    normalizer_count: PositiveInt | None = None
    """Observations that the normaliser is taken to have seen at most, so that it can still adapt; null for as many as
    it has."""
    new_terms: tuple[str, ...] = ()
    """Observation terms that the policy did not see before. Their weights start at 0: it acts as it did until it learns
    what they are good for."""


class StageCfg(Cfg):
    """One stage of a training."""

    env: AnyEnvCfg
    """The environment."""
    agent: AgentCfg
    """The learner."""
    train: TrainCfg
    """How many environments a seed trains in, and how long."""
    start: StartCfg = StartCfg()
    """What it starts anew of the policy that it starts from."""

    @property
    def scene(self) -> EnvCfg:
        """The environment, for what needs a robot in a scene. Raises InputError if it is another one."""
        if isinstance(self.env, EnvCfg):
            return self.env
        raise InputError(f"env.make = '{self.env.make}': is no scene with a robot, which this needs")

    @property
    def fresh_joints(self) -> tuple[str, ...]:
        """The joints that the patterns of `start.fresh_joints` match."""
        return matching(self.start.fresh_joints, self.env.action_columns, "joint")

    @property
    def locked_joints(self) -> tuple[str, ...]:
        """The joints that the patterns of `start.locked_joints` match."""
        return matching(self.start.locked_joints, self.env.action_columns, "joint")

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
    def _training_episodes_are_no_longer(self) -> Self:
        limit, own = self.env.length_s, self.train.episode_length_s
        if own is not None and own > limit:
            raise broken_rule("train.episode_length_s", own, f"must not be above the {limit:g} s of an episode")
        return self

    @model_validator(mode="after")
    def _curriculum_has_a_terrain(self) -> Self:
        terrain = self.env.terrain if isinstance(self.env, EnvCfg) else None
        if self.train.curriculum is not None and terrain is None:
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
                mirror = self.env.robot.mirror if isinstance(self.env, EnvCfg) else None
                if self.agent.symmetry and mirror is None:
                    raise broken_rule("agent.symmetry", True, "needs env.robot.mirror")
            case OffPolicyCfg():
                _check_replay(self.agent, self.env, self.train)
        return self

    @model_validator(mode="after")
    def _start_names_joints_and_terms(self) -> Self:
        for field in ("fresh_joints", "locked_joints"):
            patterns = getattr(self.start, field)
            with rule_of(f"start.{field}", list(patterns)):
                matching(patterns, self.env.action_columns, "joint")
        if self.start.fresh_joints and isinstance(self.agent, PpoCfg) and self.agent.std_by_state is not None:
            rule = "must be empty: agent.std_by_state has no action noise of single joints"
            raise broken_rule("start.fresh_joints", list(self.start.fresh_joints), rule)
        still_noisy = [joint for joint in self.locked_joints if joint not in self.fresh_joints]
        if still_noisy:
            rule = "must be in start.fresh_joints too: the noise of a joint that never moved is chance"
            raise broken_rule("start.locked_joints", still_noisy[0], rule)
        new = list(self.start.new_terms)
        terms = {name for group in self.env.observations.values() for name in group.terms}
        known_names("start.new_terms", new, new, "observation term", sorted(terms))
        return self


def _check_mini_batches(agent: PpoCfg, train: TrainCfg) -> None:
    rows = train.num_envs * agent.num_steps_per_env
    if rows < 2:
        rule = "must give two rows of a rollout at least (train.num_envs x agent.num_steps_per_env)"
        raise broken_rule("agent.num_steps_per_env", agent.num_steps_per_env, rule)
    if rows < agent.num_mini_batches:
        rule = f"must not be above the {rows} rows of a rollout (train.num_envs x agent.num_steps_per_env)"
        raise broken_rule("agent.num_mini_batches", agent.num_mini_batches, rule)


def _check_replay(agent: OffPolicyCfg, env: AnyEnvCfg, train: TrainCfg) -> None:
    """Check that learning can start when it should.

    With hindsight the replay buffer must hold a whole episode of every environment, and one must have ended when
    learning starts: an open episode cannot be judged by a goal achieved later.
    """
    if agent.actor.activation != agent.critic.activation:
        raise broken_rule("agent.critic.activation", agent.critic.activation, one_activation(agent.actor))
    if agent.her is None:
        if agent.buffer_size < train.num_envs:
            rule = f"must hold a transition of each of {train.num_envs} environments"
            raise broken_rule("agent.buffer_size", agent.buffer_size, rule)
        return
    if isinstance(env, VectorEnvCfg) or env.goal is None:
        raise broken_rule("env.goal", None, "must be given, because hindsight replay judges by other goals")
    stacked = next((name for name, group in env.observations.items() if group.history > 1), None)
    if stacked is not None:
        rule = "must be 1: hindsight replay changes the goal in one frame"
        raise broken_rule(f"env.observations.{stacked}.history", env.observations[stacked].history, rule)
    unbounded = next((name for name, term in env.rewards.items() if term.bounds is None), None)
    if unbounded is not None:
        rule = "must be given: the guard of SAC compares its values with what the reward allows"
        raise broken_rule(f"env.rewards.{unbounded}.bounds", None, rule)
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
