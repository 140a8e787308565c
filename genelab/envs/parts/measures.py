"""What an evaluation measures beside the return."""

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import StateView
from genelab.mdp.term import bind


class Measures(Part):
    """Sums of what is measured over an episode; of nothing where the environment's purpose is not to measure."""

    def __init__(self, world: World) -> None:
        """Bind the terms."""
        super().__init__()
        self._world = world
        measured = world.cfg.measures if world.purpose.measures else {}
        self._terms = {name: bind(f"env.measures.{name}", measure, world.cfg) for name, measure in measured.items()}
        self.begin()

    def begin(self) -> None:
        """Nothing has been measured."""
        self.memory |= {name: self._world.zeros(dtype=torch.float64) for name in self._terms}

    def start(self, mask: Tensor) -> None:
        """Begin anew."""
        for name, total in self.memory.items():
            self.memory[name] = total.masked_fill(mask, 0.0)

    def account(self, state: StateView, broken: Tensor) -> None:
        """Measure the state after a control step."""
        for name, term in self._terms.items():
            self.memory[name] = self.memory[name] + term(state)

    def means(self) -> dict[str, Tensor]:
        """Means over the episode so far, float64. Shape of each: (num_envs,)."""
        steps = self._world.episode_step.clamp(min=1)
        return {name: total / steps for name, total in self.memory.items()}
