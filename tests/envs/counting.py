"""A part that no module of genelab knows, and a term that reads it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import StateView, View


@dataclass(frozen=True)
class Count(View):
    """Control steps, by this part's own counting. Shape: (num_envs,)."""

    steps: Tensor


class Counter(Part):
    def __init__(self, world: World, first: int) -> None:
        super().__init__()
        self._world, self._first = world, first
        self.begin()

    def begin(self) -> None:
        self.memory["steps"] = self._world.zeros(dtype=torch.int64)

    def start(self, mask: Tensor) -> None:
        self.memory["steps"] = self.memory["steps"].masked_fill(mask, self._first)

    def sense(self) -> None:
        self.memory["steps"] = self.memory["steps"] + 1

    def view(self, state: StateView) -> Count:
        return Count(self.memory["steps"])


def counter(world: World, first: int = 0) -> Counter:
    return Counter(world, first)


def nothing(world: World) -> None:
    """No part."""


def counted(state: StateView) -> Tensor:
    return state.of(Count).steps[:, None].to(torch.float32)
