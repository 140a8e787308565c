"""A goal-conditioned environment as Stable-Baselines3 steps one, to compare with what the library itself does."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from genelab.learn.sb3.policy import GROUPS, widths


class GoalVecEnv(VecEnv):
    def __init__(self, environment: Any) -> None:
        self.environment = environment
        boxes = {name: spaces.Box(-np.inf, np.inf, (dim,)) for name, dim in widths(environment.layout()).items()}
        action = spaces.Box(-1.0, 1.0, (environment.num_actions,))
        super().__init__(environment.num_envs, spaces.Dict(boxes), action)

    def reset(self) -> Any:
        return _arrays(self.environment.reset())

    def step_async(self, actions: np.ndarray) -> None:
        self._action = torch.as_tensor(actions)

    def step_wait(self) -> Any:
        step = self.environment.step(self._action)
        done = (step.terminated | step.truncated).numpy()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            final = {name: values[i] for name, values in _arrays(step.finished.observations).items()}
            infos[i] = {"terminal_observation": final, "TimeLimit.truncated": bool(step.truncated[i])}
        return _arrays(step.observations), step.reward.numpy(), done, infos

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **_: Any) -> list[Any]:
        assert method_name == "compute_reward"
        achieved, desired = (torch.as_tensor(goal) for goal in args[:2])
        return [self.environment.compute_reward(achieved, desired).numpy()]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def close(self) -> None:
        """Nothing to free."""


def _arrays(observations: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: observations[name].clone().numpy() for name in GROUPS}
