"""A goal-conditioned environment in torch: a point that moves by its action in a cube."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genelab.envs.step import Finished, Step

GROUPS = {"observation": 10, "achieved_goal": 3, "desired_goal": 3}
REACHED = 0.2


class PointMass:
    """Observation: position, goal, goal minus position, time left. Ends early where the point leaves x < `wall`.

    Draws depend on seed, step and environment alone. At control step `poison_step` the position of `poison_env` is NaN.
    """

    def __init__(
        self,
        num_envs: int = 4,
        *,
        seed: int = 0,
        wall: float = 2.0,
        max_steps: int = 20,
        resets_broken: bool = False,
        poison_step: int | None = None,
        poison_env: int = 1,
    ) -> None:
        self.num_envs, self.num_actions, self.device, self.max_steps = num_envs, 3, torch.device("cpu"), max_steps
        self.resets_broken = resets_broken
        self.tap: Callable[[str, Tensor], None] | None = None
        self.poison_step, self.poison_env = poison_step, poison_env
        self.broken_count = torch.zeros(num_envs, dtype=torch.int64)
        self._seed, self._wall, self._steps = seed, wall, 0
        self._position, self._goal = torch.zeros(num_envs, 3), torch.zeros(num_envs, 3)
        self._length = torch.zeros(num_envs, dtype=torch.int64)
        self._return = torch.zeros(num_envs, dtype=torch.float64)
        self._success = torch.zeros(num_envs, dtype=torch.bool)
        self._number, self._next = torch.arange(num_envs), num_envs
        self._reward_sum, self._reward_steps = 0.0, 0

    reward_range: tuple[float, float] | None = (-1.0, 0.0)

    def layout(self) -> dict[str, Any]:
        return {group: [{"name": "all", "start": 0, "stop": dim}] for group, dim in GROUPS.items()}

    def reset(self) -> dict[str, Tensor]:
        self._start(torch.ones(self.num_envs, dtype=torch.bool))
        return self._observe()

    def step(self, action: Tensor) -> Step:
        self._position += 0.2 * action.clamp(-1.0, 1.0)
        self._position.clamp_(-1.0, 1.0)
        if self._steps == self.poison_step:
            self._position[self.poison_env, 1] = torch.nan
        self._steps += 1
        self._length += 1
        if self.tap is not None:
            self.tap("action", action)
            self.tap("state/position", self._position)
        broken = ~self._position.isfinite().all(1)
        reward = self.compute_reward(self._position, self._goal)
        if self.resets_broken:
            reward = reward.masked_fill(broken, 0.0)
            self.broken_count += broken
        self._return += reward
        self._reward_sum += float(reward.sum())
        self._reward_steps += self.num_envs
        at_goal = reward == 0.0
        self._success |= at_goal
        terminated = self._position[:, 0] > self._wall
        terminated = terminated | broken if self.resets_broken else terminated
        truncated = (self._length >= self.max_steps) & ~terminated
        clones = (self._number.clone(), self._return.clone(), self._length.clone(), self._success.clone(), at_goal)
        # As the environment does: none is computed where no episode ended.
        ended = terminated | truncated
        finished = Finished(*clones, observations=self._observe() if ended.any() else None)
        self._start(ended)
        return Step(self._observe(), reward, terminated, truncated, broken, finished)

    def compute_reward(self, achieved: Tensor, desired: Tensor) -> Tensor:
        return -((achieved - desired).norm(dim=1) > REACHED).float()

    def relabel(self, observation: Tensor, achieved: Tensor, desired: Tensor) -> Tensor:
        return torch.cat([observation[:, :3], desired, desired - achieved, observation[:, 9:]], 1)

    def draw(self, stream: str, dim: int) -> Tensor:
        raise NotImplementedError(stream)

    def close(self) -> None:
        """Nothing to free."""

    def metrics(self) -> dict[str, float]:
        means = {"reward/sparse": self._reward_sum / self._reward_steps} if self._reward_steps else {}
        self._reward_sum, self._reward_steps = 0.0, 0
        return means

    def state_dict(self) -> dict[str, Tensor]:
        own = (self._position, self._goal, self._length, self._return, self._success, self._number, self.broken_count)
        counters = torch.tensor([self._steps, self._next])
        return {"counters": counters, **{str(i): value.clone() for i, value in enumerate(own)}}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._steps, self._next = state["counters"].tolist()
        own = [state[str(i)].clone() for i in range(7)]
        self._position, self._goal, self._length, self._return, self._success, self._number, self.broken_count = own

    def _start(self, mask: Tensor) -> None:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._steps)
        draws = 1.4 * torch.rand(self.num_envs, 6, generator=generator) - 0.7
        self._position[mask], self._goal[mask] = draws[mask, :3], draws[mask, 3:]
        self._length[mask], self._return[mask], self._success[mask] = 0, 0.0, False
        count = int(mask.sum())
        self._number[mask] = self._next + torch.arange(count)
        self._next += count

    def _observe(self) -> dict[str, Tensor]:
        left = 1.0 - self._length[:, None] / self.max_steps
        whole = torch.cat([self._position, self._goal, self._goal - self._position, left], 1)
        return {"observation": whole, "achieved_goal": self._position.clone(), "desired_goal": self._goal.clone()}


class PlainPointMass(PointMass):
    """The same without goals: one group of observations, whose bounds are known, and the distance as a penalty."""

    def compute_reward(self, achieved: Tensor, desired: Tensor) -> Tensor:
        return -(achieved - desired).norm(dim=1)

    def layout(self) -> dict[str, Any]:
        return {"policy": [{"name": "all", "start": 0, "stop": 10, "scale": 1.0, "bounds": [[-2.0, 2.0]] * 10}]}

    def _observe(self) -> dict[str, Tensor]:
        return {"policy": super()._observe()["observation"]}
