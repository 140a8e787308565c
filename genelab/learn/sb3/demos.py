"""Demonstrations that fill the replay buffer before training."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from genelab.learn.sb3.groups import GROUPS
from genelab.learn.sb3.replay import GoalReplayBuffer


def add_demonstrations(buffer: GoalReplayBuffer, demos: Mapping[str, NDArray[Any]]) -> int:
    """Add demonstrations to a buffer; returns the number of transitions.

    Args:
        buffer: where to.
        demos: as `genelab.records.demo_check` has checked them: `obs_<group>` and `next_obs_<group>` for each group,
            shape (T, E, dim); `actions`, shape (T, E, num_actions), in [-1, 1]; `rewards`, shape (T, E); `terminated`
            and `truncated`, shape (T, E), bool. T control steps of E environments, the last of which ends every
            episode; the next observation of an ended episode is its final one.
    """
    done = demos["terminated"] | demos["truncated"]
    timeout = demos["truncated"] & ~demos["terminated"]
    steps = len(done)
    for t in range(steps):
        observations, following = ({g: demos[f"{when}_{g}"][t] for g in GROUPS} for when in ("obs", "next_obs"))
        buffer.append(observations, following, demos["actions"][t], demos["rewards"][t], done[t], timeout[t])
    return steps * buffer.n_envs
