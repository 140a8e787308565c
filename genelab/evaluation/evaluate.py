"""A policy and its baselines under a task's protocol."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.envs.protocol import Env
from genelab.envs.purpose import Purpose
from genelab.envs.step import Observations
from genelab.errors import InputError
from genelab.evaluation.episodes import Policy, run_episodes
from genelab.evaluation.reload import reloaded
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.round_trip import RECORDED_ROWS
from genelab.mdp.normal import standard_normal
from genelab.records.eval import Episodes
from genelab.sim.session import Session


@dataclass(frozen=True)
class Evaluation:
    """Episodes of the policy and of the baselines, on the same episode numbers."""

    policy: Episodes
    idle: Episodes
    random: Episodes
    frozen: Episodes | None
    """Of the robot that stands as it started; None where the task is not held against it."""
    drawn_starts: Episodes | None
    """Of the policy again, from starts as in training; None for a task without."""
    wall_s: float
    """Wall-clock of the policy's episodes, s."""
    max_steps: int
    """Control steps after which an episode is truncated."""


def evaluate(
    task: TaskSpec, protocol: ProtocolCfg, checkpoint: Checkpoint, session: Session, source: str
) -> Evaluation:
    """Run the protocol for a checkpoint's policy, for doing nothing, and for random actions.

    Raises:
        InputError: if the weights or the observation layout of the checkpoint do not fit the task, or the protocol
            samples from a policy that cannot be sampled; names `source`.
        DivergedError: if a return is not finite.
    """
    backend = backend_of(task.agent)
    std = None if protocol.deterministic else backend.action_std(checkpoint)
    if std is None and not protocol.deterministic:
        raise InputError(
            f"{source}: its action noise depends on the observation; only its mean action can be evaluated"
        )
    purpose = Purpose.evaluation(task, protocol)
    env, mean = reloaded(task, checkpoint, purpose, protocol.num_envs, session, source)
    policy: Policy = mean if std is None else SampledPolicy(env, mean, std)
    begin = time.perf_counter()
    trained = run_episodes(env, policy, protocol.episodes)
    wall = time.perf_counter() - begin
    idle = run_episodes(env, IdlePolicy(env), protocol.episodes, whose="the idle baseline")
    random = run_episodes(env, RandomPolicy(env), protocol.episodes, whose="the random baseline")
    frozen = drawn = None
    if "frozen" in task.baselines:
        # Its commands are drawn as ever.
        env = env.again(Purpose.evaluation(task, protocol, frozen=True))
        frozen = run_episodes(env, IdlePolicy(env), protocol.episodes, whose="the frozen baseline")
    if task.drawn_starts is not None:
        env = env.again(Purpose.evaluation(task, protocol, drawn_starts=task.drawn_starts))
        sampled: Policy = mean if std is None else SampledPolicy(env, mean, std)
        drawn = run_episodes(env, sampled, protocol.episodes, whose="the policy from drawn starts")
    return Evaluation(trained, idle, random, frozen, drawn, wall, env.max_steps)


class IdlePolicy:
    """Zero action at every step."""

    def __init__(self, env: Env) -> None:
        self._action = torch.zeros(env.num_envs, env.num_actions, device=env.device)

    def __call__(self, observations: Observations) -> Tensor:
        """Zeros. Shape: (num_envs, num_actions)."""
        return self._action


class RandomPolicy:
    """Every action drawn from the standard normal distribution, keyed by episode and step."""

    def __init__(self, env: Env) -> None:
        self._env = env

    def __call__(self, observations: Observations) -> Tensor:
        """Draws. Shape: (num_envs, num_actions)."""
        return standard_normal(self._env.draw("baseline/random", 2 * self._env.num_actions))


class SampledPolicy:
    """The stochastic policy of training, its noise keyed by episode and step."""

    def __init__(self, env: Env, mean: Policy, std: Tensor) -> None:
        """`std`: standard deviation of each action, in action units. Shape: (num_actions,)."""
        self._env, self._mean, self._std = env, mean, std.to(env.device)

    def __call__(self, observations: Observations) -> Tensor:
        """Mean plus noise. Shape: (num_envs, num_actions)."""
        draws = self._env.draw("policy", 2 * self._env.num_actions)
        return self._mean(observations) + self._std * standard_normal(draws)


class Recorder:
    """Keeps what the policy reads in the first steps, for the parity check of an export."""

    def __init__(self, groups: Sequence[str]) -> None:
        """`groups`: observation groups that the policy reads."""
        self._rows: dict[str, list[Tensor]] = {group: [] for group in groups}
        self._count = 0

    def __call__(self, observations: Observations) -> None:
        """Keep these rows unless there are enough."""
        if self._count < RECORDED_ROWS:
            for group, kept in self._rows.items():
                kept.append(observations[group].detach().cpu().clone())
            self._count += len(next(iter(observations.values())))

    def rows(self) -> dict[str, Tensor]:
        """Rows of each group. Shape: (at most RECORDED_ROWS, dim)."""
        return {group: torch.cat(kept)[:RECORDED_ROWS] for group, kept in self._rows.items()}
