"""Repeats a rollout from a saved state and finds the first tensor that is not normal."""

from collections.abc import Sequence

import torch
from torch import Tensor

from genelab.envs.protocol import Env
from genelab.errors import DivergedError
from genelab.learn.guard import Fault, Watch, clone_tree


def first_culprit(env: Env, state: dict[str, Tensor], actions: Sequence[Tensor]) -> Watch:
    """Step an environment from a state until something is not normal that it does not reset by itself.

    Draws depend on environment and step alone, so that the same actions lead to the same place.

    Args:
        env: an environment of the config and size that the state was taken from. Is left where it stops.
        state: as `Env.state_dict` returned it.
        actions: raw actions. Shape of each: (num_envs, num_actions).

    Returns:
        A watch, without a fault if nothing was wrong.
    """
    watch = Watch()
    env.load_state_dict(clone_tree(state))
    env.tap = watch
    try:
        with torch.inference_mode():
            for watch.step, action in enumerate(actions):
                broken = env.step(action).broken
                if watch.fault is not None and not (env.resets_broken and _within(watch.fault, broken)):
                    break
                watch.fault = None
    except DivergedError as error:
        if watch.fault is None:
            watch.give_up(str(error), error.environments)
    finally:
        env.tap = None
    return watch


def _within(fault: Fault, broken: Tensor) -> bool:
    """Whether a fault shows in environments alone that were reset for it."""
    return bool(broken[fault.environments].all())
