"""The policy as evaluation uses it, whatever its network is."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from genelab.errors import InputError
from genelab.learn.checkpoint import Tensors

BLOCK_ROWS = 16
"""Rows of one forward pass in evaluation. A matrix product rounds differently for other row counts, so that a fixed
count, padded, makes an action independent of how many environments run."""


Layout = dict[str, Any]
"""Columns of the observation groups, as `Environment.layout` tells them."""


def layout_dim(layout: Layout, group: str) -> int:
    """Width of an observation group according to its layout."""
    return layout[group][-1]["stop"]


def load_weights(module: nn.Module, tensors: Tensors, source: str) -> None:
    """Copy tensors into a module after comparing names, types and shapes.

    Raises:
        InputError: if they differ; names `source` and the first tensor that does.
    """
    expected, found = (
        {n: (tuple(t.shape), t.dtype) for n, t in part.items()} for part in (module.state_dict(), tensors)
    )
    if expected != found:
        name = next(n for n in [*expected, *found] if expected.get(n) != found.get(n))
        (shape, dtype), (own_shape, own_dtype) = (part.get(name, (None, None)) for part in (found, expected))
        told = (f"shape {shape}", own_shape) if shape != own_shape else (f"type {dtype}", own_dtype)
        raise InputError(f"{source} tensor {name!a}: {told[0]}, the config needs {told[1]}")
    module.load_state_dict(tensors)


class DeterministicPolicy:
    """The mean action of an actor, with its normaliser frozen, equal for any number of environments."""

    def __init__(self, actor: nn.Module, device: torch.device, groups: Sequence[str]) -> None:
        """Hold the actor in evaluation mode.

        Args:
            actor: takes a dict of observation groups and returns mean actions.
            device: where it runs.
            groups: the observation groups that it reads, `agent.actor_groups`.
        """
        self.actor = actor.to(device).eval()
        self._groups = tuple(groups)

    @torch.inference_mode()
    def __call__(self, observations: dict[str, Tensor]) -> Tensor:
        """Mean actions. Shapes: (num_envs, dim) of each group -> (num_envs, num_actions)."""
        return in_blocks(
            lambda *rows: self.actor(dict(zip(self._groups, rows, strict=True))),
            [observations[group] for group in self._groups],
        )


def in_blocks(run: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Tensor:
    """Run a network on `BLOCK_ROWS` rows at a time, the last block padded with zeros.

    Shapes: (rows, dim) of each input -> (rows, dim of the network's output).
    """
    count = inputs[0].shape[0]
    blocks = zip(*(pad(rows, (0, 0, 0, -count % BLOCK_ROWS)).split(BLOCK_ROWS) for rows in inputs), strict=True)
    return torch.cat([run(*block) for block in blocks])[:count]
