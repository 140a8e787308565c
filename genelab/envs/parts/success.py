"""Whether an episode has reached its goal."""

import torch
from torch import Tensor

from genelab.envs.goal import Goal
from genelab.envs.parts.part import Part, World
from genelab.mdp.state import StateView


class Success(Part):
    """Judges every step by its own goal, before a reset: afterwards the goal is the next episode's."""

    def __init__(self, goal: Goal, world: World) -> None:
        super().__init__()
        self._goal, self._world = goal, world
        self.at_end = world.zeros(dtype=torch.bool)
        """Whether the last step reached the goal, bool. Shape: (num_envs,)."""
        self.begin()

    def begin(self) -> None:
        """Nothing has been reached."""
        self.memory["ever"] = self._world.zeros(dtype=torch.bool)

    def start(self, mask: Tensor) -> None:
        """A new episode has reached nothing."""
        self.memory["ever"] = self.memory["ever"] & ~mask

    def account(self, state: StateView, broken: Tensor) -> None:
        """Note whether this step reached the goal."""
        self.at_end = self._goal.of(state).reached
        self.memory["ever"] = self.memory["ever"] | self.at_end
