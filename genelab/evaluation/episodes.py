"""Numbered episodes: each of 0..N-1 runs to its end and counts once, so that short episodes are not over-counted."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genelab.envs.protocol import Env
from genelab.envs.step import Observations
from genelab.errors import DivergedError

Policy = Callable[[Observations], Tensor]
"""Actions for observations. Shape of the result: (num_envs, num_actions)."""


@dataclass(frozen=True)
class EpisodeTable:
    """Episodes 0..N-1 as columns."""

    returns: list[float]
    """Undiscounted reward sums."""
    lengths: list[int]
    """Control steps."""
    terminated: list[bool]
    """Whether the task ended it, not the time limit."""
    success: list[bool] | None = None
    """Whether the goal was reached at any step of it; None where the task has no goal."""
    success_at_end: list[bool] | None = None
    """Whether the goal was reached in its final state; None where the task has no goal."""
    measures: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Mean over its steps of what the task measures, by name."""


def run_episodes(
    env: Env, policy: Policy, count: int, observe: Callable[[Observations], None] | None = None
) -> EpisodeTable:
    """Run episodes 0..count-1 to their ends.

    Args:
        env: an environment that numbers its episodes; it is reset first.
        policy: acts in every environment; actions in surplus episodes do not matter.
        count: episodes wanted.
        observe: called with the observations of every step before the policy acts.

    Raises:
        DivergedError: if an episode's return is not finite, or something broke in it.
    """
    device = env.device
    returns = torch.full((count + 1,), float("nan"), dtype=torch.float64, device=device)
    lengths = torch.zeros(count + 1, dtype=torch.int64, device=device)
    terminated = torch.zeros(count + 1, dtype=torch.bool, device=device)
    broken = torch.zeros(count + 1, dtype=torch.bool, device=device)
    success: dict[str, Tensor] = {}
    measures: dict[str, Tensor] = {}
    pending = torch.ones(count, dtype=torch.bool, device=device)
    observations = env.reset()
    while bool(pending.any()):
        if observe is not None:
            observe(observations)
        step = env.step(policy(observations))
        observations = step.observations
        ended = (step.terminated | step.truncated) & (step.finished.number < count)
        # Surplus and unfinished episodes are written to a spare last row.
        row = torch.where(ended, step.finished.number, count)
        returns[row] = step.finished.episode_return
        lengths[row] = step.finished.length
        terminated[row] = step.terminated
        for name in ("success", "success_at_end"):
            reached: Tensor | None = getattr(step.finished, name)
            if reached is not None:
                success.setdefault(name, torch.zeros_like(terminated))[row] = reached
        for name, value in step.finished.measures.items():
            measures.setdefault(name, torch.full_like(returns, float("nan")))[row] = value
        # A broken episode may end before its return shows it.
        broken[torch.where(step.broken & (step.finished.number < count), step.finished.number, count)] = True
        pending &= ~torch.isin(torch.arange(count, device=device), row)
    table = EpisodeTable(
        returns[:count].tolist(),
        lengths[:count].tolist(),
        terminated[:count].tolist(),
        **{name: column[:count].tolist() for name, column in success.items()},
        measures={name: column[:count].tolist() for name, column in measures.items()},
    )
    bad = next((k for k, value in enumerate(table.returns) if value != value or abs(value) == float("inf")), None)
    if bad is not None:
        raise DivergedError(f"evaluation episode {bad}: the return is {table.returns[bad]}")
    if bool(broken[:count].any()):
        raise DivergedError(f"evaluation episode {int(torch.nonzero(broken)[0])}: its state or reward broke on the way")
    return table
