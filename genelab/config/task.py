"""A task: environment, learner, budget and evaluation protocol under one identifier."""

from typing import Annotated, Literal, Self

from pydantic import PositiveFloat, PositiveInt, StringConstraints, model_validator

from genelab.config.agent import PpoCfg
from genelab.config.base import Cfg, Seed, broken_rule
from genelab.config.env import EnvCfg

TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*-v\d+$")]


class BudgetCfg(Cfg):
    """How long a seed trains."""

    iterations: PositiveInt
    """Learning iterations in total."""


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
    agent: PpoCfg
    """The learner."""
    budget: BudgetCfg
    """How long a seed trains."""
    protocol: ProtocolCfg = ProtocolCfg()
    """How a checkpoint is evaluated."""

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
    def _a_mini_batch_has_rows(self) -> Self:
        rows, batches = self.env.num_envs * self.agent.num_steps_per_env, self.agent.num_mini_batches
        if rows < batches:
            rule = f"must not be above the {rows} rows of a rollout (env.num_envs x agent.num_steps_per_env)"
            raise broken_rule("agent.num_mini_batches", batches, rule)
        return self
