"""Control steps of training: stepped under the guard, and stored."""

from typing import Any

import torch
from torch import Tensor

from genelab.envs.environment import Environment, Observations, Step
from genelab.learn.rollout import EpisodeWindow, RolloutGuard
from genelab.learn.sb3.groups import GROUPS
from genelab.learn.sb3.store import EpisodeStore
from genelab.learn.sb3.vec_env import to_numpy


class Collector:
    """Steps an environment and stores every transition with what truly followed it."""

    def __init__(self, env: Environment, buffer: EpisodeStore, *, max_env_resets: int) -> None:
        """Start the first episodes.

        Args:
            env: must deliver final observations.
            buffer: where transitions go.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.
        """
        self.guard = RolloutGuard(env, max_env_resets=max_env_resets)
        """Looks at what the environment returns."""
        # On a GPU too: the next thing after a step is an update, which would learn from it.
        self.guard.checks_each_step = True
        self.episodes = EpisodeWindow()
        """The last finished episodes."""
        self.observations = env.reset()
        """What the next action follows from."""
        self._env, self._buffer = env, buffer

    def begin(self) -> None:
        """Begin an iteration. Raises FaultError if what its first action follows from is not finite."""
        self.guard.begin(self.observations)

    def step(self, action: Tensor) -> Tensor:
        """Do one control step and store it.

        Args:
            action: in [-1, 1]. Shape: (num_envs, num_actions).

        Returns:
            The rewards. Shape: (num_envs,).

        Raises:
            FaultError: if something broke; nothing is stored then.
        """
        step = self.guard.step(action)
        self._store(action, step)
        self.episodes.note(step)
        self.observations = step.observations
        return step.reward

    def end(self) -> int:
        """End an iteration; returns how many episodes ended in it. Raises FaultError as `RolloutGuard.end`."""
        self.guard.end()
        return self.episodes.count()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on but the buffer, and the last episodes."""
        return {
            "env": self._env.state_dict(),
            "observations": dict(self.observations),
            "returns": list(self.episodes.returns),
            "lengths": list(self.episodes.lengths),
            "successes": list(self.episodes.successes),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._env.load_state_dict(state["env"])
        self.observations = {group: rows.to(self._env.device) for group, rows in state["observations"].items()}
        self.episodes = EpisodeWindow(state["returns"], state["lengths"], state["successes"])

    def _store(self, action: Tensor, step: Step) -> None:
        # A broken episode counts as cut short: a terminal state would end all costs, and be worth seeking.
        timeout = (step.truncated & ~step.terminated) | step.broken
        done = step.terminated | step.truncated | step.broken
        following = self._following(step)
        assert self._env.reward_range is not None
        # And none may be cheaper than the worst step: a broken one must not be worth seeking either.
        reward = torch.where(step.broken, self._env.reward_range[0], step.reward.float())
        now, after = ({group: to_numpy(rows[group]) for group in GROUPS} for rows in (self.observations, following))
        self._buffer.append(now, after, to_numpy(action), to_numpy(reward), to_numpy(done), to_numpy(timeout))

    def _following(self, step: Step) -> Observations:
        """Observations after the step and before the resets.

        A broken state is no place to learn from: there, the step is taken to have led nowhere.
        """
        final = step.finished.observations
        assert final is not None, "the environment must deliver final observations"
        done, broken = (step.terminated | step.truncated)[:, None], step.broken[:, None]
        after = {group: torch.where(done, final[group], step.observations[group]) for group in GROUPS}
        return {group: torch.where(broken, self.observations[group], after[group]) for group in GROUPS}
