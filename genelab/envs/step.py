"""What a control step returns."""

import dataclasses
from dataclasses import dataclass

from torch import Tensor

Observations = dict[str, Tensor]
"""Observation groups by name. Shape of each: (num_envs, dim)."""


@dataclass(frozen=True)
class Finished:
    """The episodes as they stood before this step's resets. Meaningful where an episode ended."""

    number: Tensor
    """Episode numbers, int64. Shape: (num_envs,)."""
    episode_return: Tensor
    """Undiscounted sum of rewards, float64. Shape: (num_envs,)."""
    length: Tensor
    """Control steps, int64. Shape: (num_envs,)."""
    success: Tensor | None
    """Whether the goal was reached at any step of the episode, bool; None without a goal. Shape: (num_envs,)."""
    success_at_end: Tensor | None
    """Whether it was reached in the final state, bool; None without a goal. Shape: (num_envs,)."""
    observations: Observations | None
    """Observations of the final states, if the environment was told to deliver them and an episode may have ended."""
    measures: dict[str, Tensor] = dataclasses.field(default_factory=dict[str, Tensor])
    """Mean over the episode of what is measured, float64; nothing unless the environment was told to measure.

    Shape of each: (num_envs,).
    """
    causes: dict[str, Tensor] = dataclasses.field(default_factory=dict[str, Tensor])
    """Where each termination term ends an episode, bool; nowhere is the time limit. Shape of each: (num_envs,)."""


@dataclass(frozen=True)
class Step:
    """The outcome of one control step. Observations on an ended episode are the new episode's first."""

    observations: Observations
    reward: Tensor
    """Shape: (num_envs,)."""
    terminated: Tensor
    """Ended by a termination term, bool. Shape: (num_envs,)."""
    truncated: Tensor
    """Ended by the time limit or a term that truncates, bool. Shape: (num_envs,)."""
    broken: Tensor
    """Where the simulator reports an error, a speed is absurd, or a state or the reward is not finite, bool.

    Shape: (num_envs,).
    """
    finished: Finished
