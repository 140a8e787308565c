"""Control steps of training: stepped under the guard, and stored."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from genelab.envs.protocol import Env
from genelab.envs.step import Observations, Step
from genelab.learn.rollout import EpisodeWindow, RolloutGuard
from genelab.learn.sb3.groups import GROUPS
from genelab.learn.sb3.store import EpisodeStore


class Collector:
    """Steps an environment and stores every transition with what truly followed it."""

    def __init__(self, env: Env, buffer: EpisodeStore, *, max_env_resets: int) -> None:
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
        done, timeout = step.terminated | step.truncated, step.truncated & ~step.terminated
        following = self._following(step)
        # The buffer copies what it keeps.
        now, after = ({group: _array(rows[group]) for group in GROUPS} for rows in (self.observations, following))
        flags = (_array(flag) for flag in (done, timeout, step.broken))
        self._buffer.append(now, after, _array(action), _array(step.reward.float()), *flags)

    def _following(self, step: Step) -> Observations:
        """Observations after the step and before the resets.

        A broken state is no place to learn from, and its row is never drawn: it holds what was there before.
        """
        # None where no episode ended, and none is needed.
        final = step.finished.observations or step.observations
        done, broken = (step.terminated | step.truncated)[:, None], step.broken[:, None]
        after = {group: torch.where(done, final[group], step.observations[group]) for group in GROUPS}
        return {group: torch.where(broken, self.observations[group], after[group]) for group in GROUPS}


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()
