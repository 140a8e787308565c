"""The rollout of an iteration as every trainer needs it: its guard, and the episodes that end in it."""

import math
from collections import deque
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from genelab.envs.protocol import Env
from genelab.envs.step import Observations, Step
from genelab.errors import DivergedError
from genelab.learn.guard import FINITE, START, Fault, FaultError, Watch, all_finite, clone_tree

RETURN_WINDOW = 100
"""Finished episodes behind `episode_return` of the learning curve, as in rsl_rl."""


class RolloutGuard:
    """Steps an environment and gives up the iteration on the first thing that is not normal."""

    def __init__(self, env: Env, *, max_env_resets: int) -> None:
        """Watch an environment. max_env_resets: how many broken ones may be reset in all, if `env` resets them."""
        self._env = env
        self._layout = env.layout()
        self._max_env_resets = max_env_resets
        self.checks_each_step = env.device.type == "cpu"
        """Whether a rollout stops at the step of a fault. A GPU is asked once a rollout, so that it never waits."""
        self.actions: list[Tensor] = []
        """Raw actions of the rollout so far. Shape of each: (num_envs, num_actions)."""
        self._normal: list[Tensor] = []

    @property
    def env_resets(self) -> int:
        """Broken environments that were reset so far."""
        return int(self._env.broken_count.sum())

    def begin(self, observations: Observations) -> None:
        """Begin a rollout: check what its first action follows from, which of a fresh environment no step has.

        Raises:
            FaultError: if an observation is not finite.
        """
        self.actions, self._normal = [], []
        for group, rows in self._layout.items():
            for row in rows:
                watch = Watch()
                watch(f"observation/{group}/{row['name']}", observations[group][:, row["start"] : row["stop"]])
                if watch.fault is not None:
                    watch.fault.phase, watch.fault.step = "start", None
                    raise FaultError(watch.fault, {watch.fault.tensor: watch.tensor})

    def step(self, action: Tensor) -> Step:
        """Step the environment. Shape: (num_envs, num_actions).

        Raises:
            FaultError: if something broke in it, or too many environments were reset. Of a GPU that is asked in `end`.
        """
        self.actions.append(action)
        try:
            step = self._env.step(action)
        except DivergedError as error:
            raise _rollout_fault("simulator", len(self.actions) - 1, str(error)) from error
        self._normal.append(self._is_normal(step))
        if self.checks_each_step:
            self._require_normal()
            self._require_few_resets()
        return step

    def end(self) -> None:
        """End a rollout.

        Raises:
            FaultError: if something broke in it, or too many environments were reset.
        """
        self._require_normal()
        self._require_few_resets()

    def complete(self, error: FaultError, start: dict[str, Tensor]) -> None:
        """Add the actions to a fault and, if it showed in the rollout, find the first culprit.

        The rollout is repeated from its start, and every tensor looked at in the order in which it is computed.

        Args:
            error: the fault that the iteration was given up for.
            start: state of the environment at the start of the iteration. It is left somewhere behind it.
        """
        error.actions = self.actions
        if error.fault.phase != "rollout":
            return
        watch = _first_culprit(self._env, start, error.actions)
        if watch.fault is not None:
            error.fault, error.tensors = watch.fault, {watch.fault.tensor: watch.tensor}
        error.fault.reproduced = watch.fault is not None

    def _is_normal(self, step: Step) -> Tensor:
        """Whether nothing is wrong in any environment. A bool scalar on the device."""
        finite = all_finite((step.reward, *step.observations.values(), *_final_observations(step)))
        return finite if self._env.resets_broken else finite & ~step.broken.any()

    def _require_normal(self) -> None:
        wrong = ~torch.stack(self._normal)
        if bool(wrong.any()):
            raise _rollout_fault("a state, reward or observation", int(torch.nonzero(wrong)[0]), FINITE)

    def _require_few_resets(self) -> None:
        if self._env.resets_broken and (count := self.env_resets) > self._max_env_resets:
            rule = f"at most {self._max_env_resets} broken environments may be reset (--max-env-resets)"
            fault = Fault("resets", "resets of broken environments", count, rule, START)
            fault.environments = torch.nonzero(self._env.broken_count).flatten().tolist()
            raise FaultError(fault, {"broken_count": self._env.broken_count.clone()})


def _first_culprit(env: Env, state: dict[str, Tensor], actions: Sequence[Tensor]) -> Watch:
    """Step an environment from a state until something is not normal that it does not reset by itself.

    Draws depend on environment and step alone, so that the same actions lead to the same place.

    Args:
        env: an environment of the config and size that the state was taken from. Is left where it stops.
        state: as `Env.state_dict` returned it.
        actions: raw actions. Shape of each: (num_envs, num_actions).

    Returns:
        A watch, without a fault if nothing was wrong.
    """
    watch = Watch()
    env.load_state_dict(clone_tree(state))
    env.tap = watch
    try:
        with torch.inference_mode():
            for watch.step, action in enumerate(actions):
                broken = env.step(action).broken
                if watch.fault is not None and not (env.resets_broken and _within(watch.fault, broken)):
                    break
                watch.fault = None
    except DivergedError as error:
        if watch.fault is None:
            watch.give_up(str(error), error.environments)
    finally:
        env.tap = None
    return watch


def _within(fault: Fault, broken: Tensor) -> bool:
    """Whether a fault shows in environments alone that were reset for it."""
    return bool(broken[fault.environments].all())


class EpisodeWindow:
    """Return, length and success of the last finished episodes."""

    def __init__(
        self, returns: Sequence[float] = (), lengths: Sequence[float] = (), successes: Sequence[bool] = ()
    ) -> None:
        """Begin with these episodes."""
        self.returns: deque[float] = deque(returns, RETURN_WINDOW)
        """Undiscounted reward sums, the latest last."""
        self.lengths: deque[float] = deque(lengths, RETURN_WINDOW)
        """Control steps."""
        self.successes: deque[bool] = deque(successes, RETURN_WINDOW)
        """Whether the goal was ever reached. Empty without a goal."""
        self._ended: list[tuple[Tensor, ...]] = []

    def note(self, step: Step) -> None:
        """Remember a step, without reading the device."""
        finished = step.finished
        success = () if finished.success is None else (finished.success,)
        self._ended.append((step.terminated | step.truncated, finished.episode_return, finished.length, *success))

    def row(self) -> dict[str, float | int | None]:
        """Columns of the learning curve: the last episodes, and how many ended in the steps since the last call.

        Those are added in order of step and environment. Reads the device once. At least one step is needed.
        """
        done, returns, lengths, *success = (torch.stack(column) for column in zip(*self._ended, strict=True))
        self._ended = []
        self.returns.extend(returns[done].tolist())
        self.lengths.extend(lengths[done].tolist())
        for column in success:
            self.successes.extend(column[done].tolist())
        return {
            "episode_return": _mean(self.returns),
            "episode_length": _mean(self.lengths),
            "episodes_finished": int(done.sum()),
        }

    @property
    def success_rate(self) -> float | None:
        """Share of the episodes that ever reached their goal; None before the first, or without a goal."""
        return _mean(self.successes)


def _mean(values: Collection[float]) -> float | None:
    return float(np.mean([*values])) if values else None


def _final_observations(step: Step) -> list[Tensor]:
    """Final observations, if there are any, with zeros where no trainer stores them.

    That is where no episode ended, and in a broken environment, whose state is no place to learn from.
    """
    if step.finished.observations is None:
        return []
    stored = ((step.terminated | step.truncated) & ~step.broken)[:, None]
    return [value.masked_fill(~stored, 0.0) for value in step.finished.observations.values()]


def _rollout_fault(tensor: str, step: int, rule: str) -> FaultError:
    """A fault of which only the step is known so far."""
    return FaultError(Fault("rollout", tensor, math.nan, rule, START, step=step), {})
