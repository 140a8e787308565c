"""A goal-conditioned environment as Stable-Baselines3 steps one, to compare with what the library itself does."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from genelab.learn.sb3.policy import GROUPS, PLAIN, widths


class GoalVecEnv(VecEnv):
    def __init__(self, environment: Any) -> None:
        self.environment = environment
        action = spaces.Box(-1.0, 1.0, (environment.num_actions,))
        super().__init__(environment.num_envs, self._space(), action)

    def _space(self) -> spaces.Space[Any]:
        dims = widths(self.environment.layout())
        return spaces.Dict({name: spaces.Box(-np.inf, np.inf, (dim,)) for name, dim in dims.items()})

    def _arrays(self, observations: dict[str, torch.Tensor]) -> Any:
        return {name: observations[name].clone().numpy() for name in GROUPS}

    def reset(self) -> Any:
        return self._arrays(self.environment.reset())

    def step_async(self, actions: np.ndarray) -> None:
        self._action = torch.as_tensor(actions)

    def step_wait(self) -> Any:
        step = self.environment.step(self._action)
        done = (step.terminated | step.truncated).numpy()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            final = self._arrays({name: rows[i] for name, rows in step.finished.observations.items()})
            infos[i] = {"terminal_observation": final, "TimeLimit.truncated": bool(step.truncated[i])}
        return self._arrays(step.observations), step.reward.numpy(), done, infos

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


class PlainVecEnv(GoalVecEnv):
    """An environment of one observation group, whose actions are not clipped."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.action_space = spaces.Box(-100.0, 100.0, (environment.num_actions,))

    def _space(self) -> spaces.Space[Any]:
        (dim,) = widths(self.environment.layout(), PLAIN).values()
        return spaces.Box(-np.inf, np.inf, (dim,))

    def _arrays(self, observations: dict[str, torch.Tensor]) -> Any:
        return observations[PLAIN[0]].clone().numpy()
