"""Tasks as gymnasium knows environments: observations and actions are NumPy arrays, `float32`.

`import genelab.gym` registers every task as `genelab/<task>`, so that `gymnasium.make` and `gymnasium.make_vec` take
it. The environment is what a training gets from `genelab.make`. `VectorEnv` simulates all its environments at once;
many of `Env` would each have a simulation of their own.

The observation is what the policy of the task reads: a Box, or for a task with a goal a Dict of `observation`,
`achieved_goal` and `desired_goal`. What only a value network reads, such as `critic`, stands in `info` under its name.
"""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from genelab.config.actions import DifferentialIkCfg
from genelab.config.scene import EngineName
from genelab.config.task import TaskSpec
from genelab.config.vector import VectorEnvCfg
from genelab.envs.protocol import GoalEnv
from genelab.envs.step import Observations
from genelab.errors import DivergedError, InputError
from genelab.learn.policy import layout_dim
from genelab.library import make as make_tensors
from genelab.library import task_of
from genelab.registry import task_ids

NAMESPACE = "genelab"
"""What stands before a task's identifier in gymnasium's registry."""
Array = NDArray[Any]


class VectorEnv(gymnasium.vector.VectorEnv[Any, Array, Array]):
    """All environments of one simulation, reset in the step in which their episode ends (`AutoresetMode.SAME_STEP`).

    Such a step returns the first observation of the next episode; the last of the ended one is in
    `info["final_obs"]`, an array of one object per environment, None where no episode ended, and the rest of what is
    known of it in `info["final_info"]`, with a mask under `_` and the name.
    """

    def __init__(
        self,
        task: str | TaskSpec,
        num_envs: int = 1,
        *,
        action_bound: float | None = None,
        variant: str | None = None,
        engine: EngineName | None = None,
        overrides: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Build it.

        Args:
            task: as for `genelab.make`.
            num_envs: parallel environments.
            action_bound: bound of the action space, for libraries that need one. Actions beyond are not clipped here.
                None for a space without bounds. Of a task whose own actions are bounded, the bound is 1.
            variant: a variant of the task.
            engine: a simulator in place of the task's.
            overrides: as for `genelab.make`.
            options: others of `genelab.make`: `device`, `threads`.

        Raises:
            InputError: as `genelab.make`.
        """
        spec = task_of(task, variant=variant, engine=engine, overrides=overrides)
        self._env = make_tensors(spec, num_envs, **options)
        self._groups = spec.agent.actor_groups
        layout = self._env.layout()
        boxes: dict[str, spaces.Space[Any]] = {
            group: _box((layout_dim(layout, group),), np.inf) for group in self._groups
        }
        # These clip what they are given.
        clips = isinstance(spec.env, VectorEnvCfg) or isinstance(spec.env.action, DifferentialIkCfg)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.num_envs = num_envs
        self.single_observation_space = spaces.Dict(boxes) if len(boxes) > 1 else boxes[self._groups[0]]
        self.single_action_space = _box((self._env.num_actions,), 1.0 if clips else action_bound or np.inf)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin anew in every environment. `seed`: one for all, of everything drawn; None to draw on."""
        if seed is not None and not isinstance(seed, int):
            raise InputError(f"seed = {seed}: must be one number, of which the draws of every environment follow")
        if options:
            raise InputError(f"options = {options}: a reset takes none")
        super().reset(seed=seed)
        self._env.reseed(int(self.np_random.integers(2**32)))
        observations = self._env.reset()
        return self._observed(observations), self._everywhere(observations)

    def step(self, actions: Array) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Apply raw actions for one control step. Shape: (num_envs, num_actions).

        Raises:
            DivergedError: if a state or a reward is not finite.
        """
        step = self._env.step(torch.as_tensor(actions, dtype=torch.float32, device=self._env.device))
        if bool(step.broken.any()):
            number = int(torch.nonzero(step.broken)[0])
            raise DivergedError(f"environment {number}: its state or reward broke", [number])
        terminated, truncated = _array(step.terminated), _array(step.truncated)
        info = self._everywhere(step.observations)
        if (ended := terminated | truncated).any():
            assert step.finished.observations is not None
            final = self._observed(step.finished.observations)
            rows: Array = np.full(self.num_envs, None, dtype=object)
            for k in np.flatnonzero(ended):
                rows[k] = {group: value[k] for group, value in final.items()} if isinstance(final, dict) else final[k]
            told = self._rest(step.finished.observations)
            if step.finished.success_at_end is not None:
                told["is_success"] = _array(step.finished.success_at_end)
            info |= {"final_obs": rows, "_final_obs": ended, "_final_info": ended}
            info["final_info"] = _masked(told, ended)
        return self._observed(step.observations), _array(step.reward).astype(np.float64), terminated, truncated, info

    def compute_reward(self, achieved_goal: Array, desired_goal: Array, info: Any) -> Array:
        """The reward of steps that led to `achieved_goal`, judged by any goals. Of a task with a goal.

        Shapes: (rows, dim), (rows, dim) -> (rows,).
        """
        achieved, desired = (
            torch.as_tensor(np.atleast_2d(goal), dtype=torch.float32, device=self._env.device)
            for goal in (achieved_goal, desired_goal)
        )
        return _array(cast(GoalEnv, self._env).compute_reward(achieved, desired))

    def close_extras(self, **kwargs: Any) -> None:
        """Free what the environment holds."""
        self._env.close()

    def _observed(self, observations: Observations) -> Any:
        rows = {group: _array(observations[group]) for group in self._groups}
        return rows if len(rows) > 1 else rows[self._groups[0]]

    def _rest(self, observations: Observations) -> dict[str, Array]:
        """The groups that the policy does not read."""
        return {group: _array(rows) for group, rows in observations.items() if group not in self._groups}

    def _everywhere(self, observations: Observations) -> dict[str, Any]:
        return _masked(self._rest(observations), np.ones(self.num_envs, dtype=np.bool_))


class Env(gymnasium.Env[Any, Array]):
    """One environment, for libraries that take no vectors. After the end of an episode comes a `reset`."""

    def __init__(self, task: str | TaskSpec, *, render_mode: None = None, **options: Any) -> None:
        """Build it. Arguments and errors as for `VectorEnv`. `render_mode`: none but None."""
        self.metadata = {"render_modes": []}
        self._envs = VectorEnv(task, 1, **options)
        self.observation_space, self.action_space = self._envs.single_observation_space, self._envs.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode. `seed`: of everything drawn; None to draw on."""
        super().reset(seed=seed)
        observed, info = self._envs.reset(seed=seed, options=options)
        return _first(observed), _told(info)

    def step(self, action: Array) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Apply a raw action for one control step. Shape: (num_actions,).

        Raises:
            DivergedError: if a state or the reward is not finite.
        """
        observed, reward, terminated, truncated, info = self._envs.step(np.asarray(action)[None])
        ends = float(reward[0]), bool(terminated[0]), bool(truncated[0])
        # Behind the end the environment has begun the next episode already.
        if "final_obs" in info:
            return info["final_obs"][0], *ends, _told(info["final_info"])
        return _first(observed), *ends, _told(info)

    def compute_reward(self, achieved_goal: Array, desired_goal: Array, info: Any) -> Any:
        """The reward of steps that led to `achieved_goal`, judged by any goals. Of a task with a goal.

        Shapes: (rows, dim), (rows, dim) -> (rows,), or of one row each to a number.
        """
        rewards = self._envs.compute_reward(achieved_goal, desired_goal, info)
        return rewards if np.ndim(achieved_goal) > 1 else float(rewards[0])

    def close(self) -> None:
        """Free what the environment holds."""
        self._envs.close()


def make_vec(task: str | TaskSpec, num_envs: int = 1, **options: Any) -> VectorEnv:
    """The environments of a task in one simulation. See `VectorEnv`."""
    return VectorEnv(task, num_envs, **options)


def make(task: str | TaskSpec, **options: Any) -> Env:
    """One environment of a task. See `Env`."""
    return Env(task, **options)


def _register() -> None:
    for task_id in task_ids():
        gymnasium.register(
            f"{NAMESPACE}/{task_id}",
            entry_point=f"{__name__}:Env",
            vector_entry_point=f"{__name__}:VectorEnv",
            kwargs={"task": task_id},
        )


def _box(shape: tuple[int, ...], bound: float) -> spaces.Box:
    return spaces.Box(-bound, bound, shape, np.float32)


def _array(tensor: Tensor) -> Array:
    """A copy: what is returned may be kept."""
    return np.array(tensor.detach().cpu().numpy())


def _masked(found: dict[str, Array], mask: Array) -> dict[str, Any]:
    """Values with the mask of those that are meant, as gymnasium has them in an info."""
    return found | {f"_{name}": mask for name in found}


def _first(rows: Any) -> Any:
    return {name: _first(each) for name, each in rows.items()} if isinstance(rows, dict) else rows[0]


def _told(info: dict[str, Any]) -> dict[str, Any]:
    """An info of one environment, without masks."""
    return {name: rows[0] for name, rows in info.items() if not name.startswith("_")}


_register()
