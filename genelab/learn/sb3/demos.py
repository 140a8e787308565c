"""Demonstrations that fill the replay buffer before training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genelab.errors import InputError
from genelab.learn.sb3.groups import GROUPS
from genelab.learn.sb3.replay import GoalReplayBuffer

Array = NDArray[Any]
FLAGS = ("terminated", "truncated")


def add_demonstrations(buffer: GoalReplayBuffer, demos: Mapping[str, Array]) -> int:
    """Add demonstrations to a buffer; returns the number of transitions.

    Args:
        buffer: where to.
        demos: `obs_<group>` and `next_obs_<group>` for each group, shape (T, E, dim); `actions`, shape
            (T, E, num_actions), in [-1, 1]; `rewards`, shape (T, E); `terminated` and `truncated`, shape (T, E), bool.
            T control steps of E environments; the next observation of an ended episode is its final one.

    Raises:
        InputError: if an array is missing or breaks a rule; nothing is added then.
    """
    steps = _require_sound(buffer, demos)
    done = demos["terminated"] | demos["truncated"]
    timeout = demos["truncated"] & ~demos["terminated"]
    for t in range(steps):
        observations, following = ({g: demos[f"{when}_{g}"][t] for g in GROUPS} for when in ("obs", "next_obs"))
        buffer.append(observations, following, demos["actions"][t], demos["rewards"][t], done[t], timeout[t])
    return steps * buffer.n_envs


def _require_sound(buffer: GoalReplayBuffer, demos: Mapping[str, Array]) -> int:
    dims = {group: values.shape[2:] for group, values in buffer.observations.items()}
    shapes: dict[str, tuple[int, ...]] = {f"{when}_{g}": dims[g] for when in ("obs", "next_obs") for g in GROUPS}
    shapes |= {"actions": buffer.actions.shape[2:], **dict.fromkeys(("rewards", *FLAGS), ())}
    if missing := [name for name in shapes if name not in demos]:
        raise InputError(f"demonstrations: have no array '{missing[0]}'")
    steps = demos["rewards"].shape[0] if demos["rewards"].ndim else 0
    for name, tail in shapes.items():
        value = demos[name]
        if steps == 0 or value.shape != (steps, buffer.n_envs, *tail):
            rule = f"must be (steps, {buffer.n_envs} environments{''.join(f', {n}' for n in tail)})"
            raise InputError(f"demonstrations: {name} has shape {value.shape}, {rule}")
        if (value.dtype != np.bool_) if name in FLAGS else (value.dtype.kind != "f"):
            raise InputError(
                f"demonstrations: {name} holds {value.dtype}, must hold {'bool' if name in FLAGS else 'floats'}"
            )
        if name not in FLAGS and not np.isfinite(value).all():
            raise InputError(f"demonstrations: {name} holds values that are not finite")
    if np.abs(demos["actions"]).max() > 1.0:
        raise InputError(f"demonstrations: actions reach {np.abs(demos['actions']).max():g}, must lie between -1 and 1")
    if steps > buffer.buffer_size:
        raise InputError(
            f"demonstrations: {steps} steps do not fit the buffer, which keeps {buffer.buffer_size} of each"
        )
    still_open = np.flatnonzero(~(demos["terminated"][-1] | demos["truncated"][-1]))
    if still_open.size:
        # The buffer would join them with the first episodes of training.
        raise InputError(
            f"demonstrations: the episode of environment {still_open[0]} is open; the last step must end all"
        )
    return steps
