"""Where on a terrain the episodes of each environment start."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import PlaceState, StateView


class Curriculum(Part, ABC):
    """Says how hard the next episode of an environment of a training is.

    Comes after the places in the collection: it still knows the episode that ended when they place the next one.
    """

    def __init__(self, max_start_level: int) -> None:
        """`max_start_level`: hardest level of the first episodes."""
        super().__init__()
        self.max_start_level = max_start_level

    @abstractmethod
    def next_level(self, level: Tensor, uniform: Tensor) -> Tensor:
        """Levels of the next episodes, int64.

        Args:
            level: of the running ones, int64. Shape: (num_envs,).
            uniform: draws in [0, 1). Shape: (num_envs,).
        """


class Places(Part):
    """The cell of each environment.

    An episode of an evaluation stands in the cell that its number says: level k mod rows, column (k div rows) mod
    columns. An environment of a training keeps its column; its level follows the curriculum, or is drawn anew for each
    episode if there is none.
    """

    def __init__(self, centers_w: Tensor, world: World, curriculum: Curriculum | None) -> None:
        """Place nothing yet. `centers_w`: centres of the cells, m. Shape: (rows, columns, 3)."""
        super().__init__()
        self._world, self._curriculum = world, curriculum
        self._centers_w = centers_w.to(world.device)
        self._rows, self._columns = centers_w.shape[:2]
        self.begin()

    def begin(self) -> None:
        """No environment is placed."""
        self.memory |= {name: self._world.zeros(dtype=torch.int64) for name in ("level", "column")}
        self.memory["placed"] = self._world.zeros(dtype=torch.bool)

    def view(self, state: StateView) -> PlaceState:
        """The cells."""
        level = self.memory["level"]
        return PlaceState(self._centers_w[level, self.memory["column"]], level)

    def start(self, mask: Tensor) -> None:
        """Give new episodes their cells."""
        if self._world.purpose.numbered:
            number = self._world.episode_number
            level, column = number % self._rows, number // self._rows % self._columns
        else:
            level, column = self._next_level(), self._first_column()
        self.memory["level"] = torch.where(mask, level, self.memory["level"])
        self.memory["column"] = torch.where(mask, column, self.memory["column"])
        self.memory["placed"] = self.memory["placed"] | mask

    def metrics(self) -> dict[str, float]:
        """Mean level over the environments."""
        return {"terrain_level": float(self.memory["level"].double().mean())}

    def _next_level(self) -> Tensor:
        uniform = self._world.draw("terrain/level", 1)[:, 0]
        if self._curriculum is None:
            return drawn(uniform, self._rows)
        moved = self._curriculum.next_level(self.memory["level"], uniform)
        return torch.where(self.memory["placed"], moved, drawn(uniform, self._curriculum.max_start_level + 1))

    def _first_column(self) -> Tensor:
        uniform = self._world.draw("terrain/column", 1)[:, 0]
        return torch.where(self.memory["placed"], self.memory["column"], drawn(uniform, self._columns))


def drawn(uniform: Tensor, count: int) -> Tensor:
    """Integers below `count` from draws in [0, 1), int64. Shapes: (num_envs,) -> (num_envs,)."""
    # The product may round up to the count.
    return (uniform * count).to(torch.int64).clamp(max=count - 1)
