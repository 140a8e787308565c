"""Weights of a network that reads fewer observations, for one that reads more."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from genelab.learn.checkpoint import Tensors

FIRST_LAYER = "mlp.0.weight"
STATISTICS = ("obs_normalizer._mean", "obs_normalizer._var", "obs_normalizer._std")


def kept_columns(
    rows: list[dict[str, Any]], narrow: list[dict[str, Any]], new_terms: Sequence[str]
) -> list[int] | None:
    """Columns of a group that a narrower one has too, in the order of the narrower one.

    Args:
        rows: layout of the group.
        narrow: layout of the group without the new terms.
        new_terms: names of the terms that only `rows` holds.

    Returns:
        As many columns as `narrow` has, or None if the layouts differ in more than the new terms.
    """
    kept = [row for row in rows if row["name"] not in new_terms]
    if [_meaning(row) for row in kept] != [_meaning(row) for row in narrow]:
        return None
    return [column for row in kept for column in range(row["start"], row["stop"])]


def _meaning(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a layout with its width in place of where it stands."""
    return {**row, "start": 0, "stop": row["stop"] - row["start"]}


def widened(tensors: Tensors, module: nn.Module, columns: list[int]) -> Tensors:
    """Tensors for a network whose output does not depend on the new columns yet.

    Args:
        tensors: of the narrower network.
        module: the wider one, as it is before training. Statistics of its new columns stay.
        columns: where the columns of the narrower network stand in the wider one.

    Returns:
        Those of the wider network. What is missing or does not have that many columns stays as it is.
    """
    wide = dict(tensors)
    for name, own in module.state_dict().items():
        if name not in (FIRST_LAYER, *STATISTICS) or name not in tensors:
            continue
        if tensors[name].shape == (own.shape[0], len(columns)):
            filled = torch.zeros_like(own) if name == FIRST_LAYER else own.clone()
            filled[:, columns] = tensors[name].to(own.device)
            wide[name] = filled
    return wide
