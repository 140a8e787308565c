"""Properties of the robot that are drawn anew, and the bias of its encoders."""

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import ModelWrite
from genelab.mdp.term import bind


class Randomizations(Part):
    """Draws and writes properties: for each environment in training, for each numbered episode in evaluation.

    Draws depend on keys alone: a resumed training has the same without saving them.
    """

    def __init__(self, world: World) -> None:
        """Bind the terms. Nothing is drawn yet."""
        super().__init__()
        cfg, sim = world.cfg, world.sim
        self._world = world
        self._terms = {
            name: bind(f"env.randomizations.{name}", term, world.cfg) for name, term in cfg.randomizations.items()
        }
        self._driven = sim.names.joint_columns(cfg.driven, sim.device)
        takes_velocity = [sim.wants_velocity(joint) for joint in cfg.driven]
        self._unbiased = torch.tensor(takes_velocity, device=sim.device)
        self._bias = world.zeros(len(cfg.driven))
        """What encoders read too much, m or rad. Shape: (num_envs, driven)."""

    def begin(self) -> None:
        """Draw the properties of the environments of a training."""
        if not self._world.purpose.numbered:
            self._draw(torch.ones_like(self._world.episode_step, dtype=torch.bool))

    def start(self, mask: Tensor) -> None:
        """Draw the properties of numbered episodes."""
        if self._world.purpose.numbered:
            self._draw(mask)

    def aim(self, targets: Tensor) -> Tensor:
        """Targets that inherit the error of the encoders."""
        return targets - self._bias

    def _draw(self, mask: Tensor) -> None:
        """Draw and write the properties where masked. Shape: (num_envs,) bool.

        Raises:
            RunError: if the simulator does not hold afterwards what was written.
        """
        for name, term in self._terms.items():
            write: ModelWrite = term(self._world.event(f"randomization/{name}"))
            self._world.sim.properties.write(write, mask)
            if write.encoder_bias is not None:
                # The speed of a wheel is not biased.
                bias = write.encoder_bias.index_select(1, self._driven).masked_fill(self._unbiased, 0.0)
                self._bias = torch.where(mask[:, None], bias, self._bias)
