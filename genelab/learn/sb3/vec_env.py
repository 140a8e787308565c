"""A goal-conditioned environment as Stable-Baselines3 sees one: numpy in and out, and infos."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import Wrapper, spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs
from torch import Tensor

from genelab.envs.protocol import GoalEnv
from genelab.envs.step import Observations
from genelab.errors import InputError
from genelab.learn.sb3.groups import GROUPS, widths

Array = NDArray[Any]


def to_numpy(tensor: Tensor) -> Array:
    """A copy on the CPU: the environment may overwrite its own memory."""
    return tensor.detach().to("cpu", copy=True).numpy()


class GoalVecEnv(VecEnv):
    """Adapts an environment that resets ended episodes within the same step.

    Infos of a step that ends an episode hold `terminal_observation`, the true final observation; `TimeLimit.truncated`;
    `episode` with return `r`, length `l` and seconds `t`, as Monitor gives them; and `is_success` where the task tells.
    """

    def __init__(self, environment: GoalEnv) -> None:
        """Describe the environment's spaces.

        Raises:
            InputError: if it lacks an observation group.
        """
        self.environment = environment
        layout = environment.layout()
        if missing := [group for group in GROUPS if group not in layout]:
            raise InputError(f"env.observations: has no group '{missing[0]}', which a goal-conditioned learner reads")
        boxes: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(-np.inf, np.inf, (dim,), np.float32) for name, dim in widths(layout).items()
        }
        action = spaces.Box(-1.0, 1.0, (environment.num_actions,), np.float32)
        self._action: Tensor | None = None
        self._begin = time.perf_counter()
        super().__init__(environment.num_envs, spaces.Dict(boxes), action)

    def reset(self) -> VecEnvObs:
        """Start the first episodes. The environment's seed was given to it when it was made."""
        self._reset_seeds()
        self._reset_options()
        return _arrays(self.environment.reset())

    def step_async(self, actions: Array) -> None:
        """Take the actions of the next step. Shape: (num_envs, num_actions)."""
        self._action = torch.as_tensor(actions, dtype=torch.float32).to(self.environment.device)

    def step_wait(self) -> tuple[VecEnvObs, Array, Array, list[dict[str, Any]]]:
        """Step all environments with the actions taken before."""
        assert self._action is not None
        step = self.environment.step(self._action)
        self._action = None
        truncated = to_numpy(step.truncated & ~step.terminated)
        done = to_numpy(step.terminated | step.truncated)
        # One dictionary each: callers write into them.
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.any():
            finished = step.finished
            assert finished.observations is not None
            final, returns = _arrays(finished.observations), to_numpy(finished.episode_return)
            lengths = to_numpy(finished.length)
            success = None if finished.success is None else to_numpy(finished.success)
            seconds = round(time.perf_counter() - self._begin, 6)
            for i in np.flatnonzero(done):
                infos[i] = {
                    "terminal_observation": {name: values[i] for name, values in final.items()},
                    "TimeLimit.truncated": bool(truncated[i]),
                    "episode": {"r": float(returns[i]), "l": int(lengths[i]), "t": seconds},
                }
                if success is not None:
                    infos[i]["is_success"] = bool(success[i])
        return _arrays(step.observations), to_numpy(step.reward.to(torch.float32)), done, infos

    def close(self) -> None:
        """Nothing to do: the simulation belongs to whoever made it."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """One attribute of the environment, once per index. Raises AttributeError if it has none."""
        value = None if attr_name == "render_mode" else getattr(self.environment, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: one object stands for all environments."""
        raise NotImplementedError(f"cannot set '{attr_name}' of single environments")

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Judge a batch of goals by `compute_reward(achieved, desired, infos)`; the result, once per index.

        Shapes: (rows, 3), (rows, 3) -> (rows,), float32. `infos` is not read.

        Raises:
            AttributeError: for another method.
        """
        if method_name != "compute_reward":
            raise AttributeError(f"environments have no method '{method_name}'")
        achieved, desired = (torch.as_tensor(goal).to(self.environment.device) for goal in method_args[:2])
        reward = to_numpy(self.environment.compute_reward(achieved, desired).to(torch.float32))
        return [reward for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Tell that no environment is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed nothing: the draws of the environment are counted from the seed that it was made with."""
        return [None] * self.num_envs


def _arrays(observations: Observations) -> dict[str, Array]:
    return {group: to_numpy(observations[group]) for group in GROUPS}
