"""What soft actor-critic with hindsight needs of an environment, beside what every back end needs."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

Observations = dict[str, Tensor]
"""Observation groups by name. Shape of each: (num_envs, dim), float32."""

ACHIEVED, DESIRED, OBSERVATION = "achieved_goal", "desired_goal", "observation"
GROUPS = (ACHIEVED, DESIRED, OBSERVATION)
"""Observation groups in the order in which the networks read them: Stable-Baselines3 sorts them by name."""


class GoalFinished(Protocol):
    """The episodes as they stood before a step's resets. Meaningful where an episode ended."""

    @property
    def episode_return(self) -> Tensor:
        """Undiscounted sum of rewards. Shape: (num_envs,)."""
        ...

    @property
    def length(self) -> Tensor:
        """Control steps. Shape: (num_envs,)."""
        ...

    @property
    def success(self) -> Tensor | None:
        """Whether the goal was ever reached, bool. Shape: (num_envs,). None where the task tells none."""
        ...

    @property
    def observations(self) -> Observations | None:
        """Observations of the final states. Never None in an environment that was told to deliver them."""
        ...


class GoalStep(Protocol):
    """The outcome of one control step. Observations on an ended episode are the new episode's first."""

    @property
    def observations(self) -> Observations:
        """After the resets."""
        ...

    @property
    def reward(self) -> Tensor:
        """Shape: (num_envs,)."""
        ...

    @property
    def terminated(self) -> Tensor:
        """Shape: (num_envs,), bool."""
        ...

    @property
    def truncated(self) -> Tensor:
        """Ended by the time limit alone. Shape: (num_envs,), bool."""
        ...

    @property
    def broken(self) -> Tensor:
        """Where the simulation is not normal. Shape: (num_envs,), bool."""
        ...

    @property
    def finished(self) -> GoalFinished:
        """The episodes that ended."""
        ...


class GoalEnvironment(Protocol):
    """A goal-conditioned environment that delivers final observations."""

    num_envs: int
    num_actions: int
    device: torch.device
    max_steps: int
    resets_broken: bool
    broken_count: Tensor
    tap: Callable[[str, Tensor], None] | None

    @property
    def reward_range(self) -> tuple[float, float]:
        """Least and largest reward of one step."""
        ...

    def layout(self) -> dict[str, Any]:
        """Columns of the observation groups."""
        ...

    def reset(self) -> Observations:
        """Start the first episodes."""
        ...

    def step(self, action: Tensor) -> GoalStep:
        """Apply raw actions for one control step. Shape: (num_envs, num_actions)."""
        ...

    def compute_reward(self, achieved: Tensor, desired: Tensor) -> Tensor:
        """The reward of a step that achieved this. Shapes: (rows, 3), (rows, 3) -> (rows,)."""
        ...

    def relabel(self, observation: Tensor, achieved: Tensor, desired: Tensor) -> Tensor:
        """The observation under another desired goal. Shapes: (rows, dim), (rows, 3), (rows, 3) -> (rows, dim)."""
        ...

    def term_means(self) -> dict[str, float]:
        """Mean weighted reward per control step of each term since the last call."""
        ...

    def simulator_error(self) -> Tensor:
        """Where the simulator holds an error. Shape: (num_envs,), bool."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        ...


def widths(layout: dict[str, Any]) -> dict[str, int]:
    """Width of each observation group, in the order of `GROUPS`."""
    return {group: layout[group][-1]["stop"] for group in GROUPS}
