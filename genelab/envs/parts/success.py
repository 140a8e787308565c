"""Whether an episode has reached its goal."""

import numpy as np
import torch
from torch import Tensor

from genelab.draw.depiction import GREEN, Ball, Depiction
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

    def depict(self, state: StateView) -> Depiction:
        """How far it is to the goal, and a ball where it counts as reached."""
        goal = self._goal.of(state)
        line = f"{float(goal.distance[0]):.3f} from the goal{', reached' if bool(goal.reached[0]) else ''}"
        if not self._goal.is_place:
            return Depiction((line,))
        middle = goal.desired[0].cpu().numpy().astype(np.float64)
        return Depiction((line.replace(" from", " m from"),), (Ball(middle, goal.tolerance, (*GREEN[:3], 0.5)),))
