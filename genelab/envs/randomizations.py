"""Properties of the robot that are drawn anew, and the bias of its encoders."""

from collections.abc import Callable

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.envs.parts import Draw
from genelab.mdp.state import EventContext, ModelWrite, StateView
from genelab.mdp.term import bind
from genelab.sim.engine import Engine


class Randomizations:
    """Draws and writes them. Draws depend on keys alone: a resumed training has the same without saving them."""

    def __init__(self, cfg: EnvCfg, sim: Engine) -> None:
        """Bind the terms. Nothing is drawn yet."""
        self._sim = sim
        self._terms = {name: bind(f"env.randomizations.{name}", term, cfg) for name, term in cfg.randomizations.items()}
        self._driven = sim.names.joint_columns(cfg.action.driven, sim.device)
        takes_velocity = [sim.wants_velocity(joint) for joint in cfg.action.driven]
        self._unbiased = torch.tensor(takes_velocity, device=sim.device)
        self.target_bias = torch.zeros(sim.num_envs, len(cfg.action.driven), device=sim.device)
        """What encoders read too much, to be subtracted from targets, m or rad. Shape: (num_envs, driven)."""

    def draw(self, mask: Tensor, state: Callable[[], StateView], draw: Draw) -> None:
        """Draw and write the properties where masked. Shape: (num_envs,) bool.

        Raises:
            RunError: if the simulator does not hold afterwards what was written.
        """
        for name, term in self._terms.items():
            context = EventContext(state(), lambda dim, name=name: draw(f"randomization/{name}", dim))
            write: ModelWrite = term(context)
            self._sim.properties.write(write, mask)
            if write.encoder_bias is not None:
                # The speed of a wheel is not biased.
                bias = write.encoder_bias.index_select(1, self._driven).masked_fill(self._unbiased, 0.0)
                self.target_bias = torch.where(mask[:, None], bias, self.target_bias)
