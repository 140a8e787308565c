"""Numbered episodes: each of 0..N-1 runs to its end and counts once, so that short episodes are not over-counted."""

from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from genelab.envs.protocol import Env
from genelab.envs.step import Observations
from genelab.errors import DivergedError
from genelab.progress import counting
from genelab.records.eval import EpisodeEnd, Episodes

Policy = Callable[[Observations], Tensor]
"""Actions for observations. Shape of the result: (num_envs, num_actions)."""
REPORT_EVERY = 10
"""Control steps between two reports of progress."""


def run_episodes(
    env: Env,
    policy: Policy,
    count: int,
    observe: Callable[[Observations], None] | None = None,
    *,
    whose: str = "the policy",
) -> Episodes:
    """Run episodes 0..count-1 to their ends.

    Args:
        env: an environment that numbers its episodes; it is reset first.
        policy: acts in every environment; actions in surplus episodes do not matter.
        count: episodes wanted.
        observe: called with the observations of every step before the policy acts.
        whose: episodes they are, for the progress line.

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
    report, steps = counting(f"episodes of {whose}", count), 0
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
        if steps % REPORT_EVERY == 0 or not bool(pending.any()):
            left = int(pending.sum())
            # What runs counts by how long it has run, so that the time left is known before the first ones end.
            begun = min(left, env.num_envs) * float(env.episode_step.to(torch.float64).mean()) / env.max_steps
            report(count - left, (count - left + begun) / count)
        steps += 1
    bad = torch.nonzero(~returns[:count].isfinite()).flatten().tolist()
    if bad:
        raise DivergedError(f"evaluation episode {bad[0]}: the return is {float(returns[bad[0]])}")
    if bool(broken[:count].any()):
        raise DivergedError(f"evaluation episode {int(torch.nonzero(broken)[0])}: its state or reward broke on the way")
    # By the number of their name in `EpisodeEnd`.
    ends = torch.where(terminated, 0, torch.where(lengths == env.max_steps, 1, 2))[:count].tolist()
    return Episodes.model_validate(
        {
            "index": tuple(range(count)),
            "return": tuple(returns[:count].tolist()),
            "length": tuple(lengths[:count].tolist()),
            "end": tuple(get_args(EpisodeEnd)[end] for end in ends),
            **{name: tuple(column[:count].tolist()) for name, column in success.items()},
            "measures": {name: tuple(column[:count].tolist()) for name, column in measures.items()},
        }
    )
