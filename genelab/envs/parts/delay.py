"""Actions that are late and noisy, as between a policy and real motors."""

import torch
from torch import Tensor

from genelab.config.actions import JointTargetsCfg
from genelab.envs.parts.part import Part, World
from genelab.mdp.normal import standard_normal


class Delay(Part):
    """Makes actions late by a number of control steps that is drawn for each episode, and adds Gaussian noise."""

    def __init__(self, cfg: JointTargetsCfg, world: World) -> None:
        super().__init__()
        self._world = world
        self._low, self._high = cfg.latency
        self._noise_std, self._columns = cfg.noise_std, len(world.cfg.action_columns)
        self.begin()

    def begin(self) -> None:
        """Nothing is on the way."""
        self.memory["lag"] = self._world.zeros(dtype=torch.int64)
        self.memory["on_the_way"] = self._world.zeros(self._high + 1, self._columns)

    def start(self, mask: Tensor) -> None:
        """Forget what is on the way, and draw how late actions are."""
        draws = self._world.draw("latency", 1)[:, 0]
        drawn = self._low + (draws * (self._high - self._low + 1)).to(torch.int64)
        self.memory["lag"] = torch.where(mask, drawn, self.memory["lag"])
        self.memory["on_the_way"] = self.memory["on_the_way"].masked_fill(mask[:, None, None], 0.0)

    def act(self, action: Tensor) -> Tensor:
        """The action that reaches the motors in this step."""
        on_the_way = torch.cat([action[:, None], self.memory["on_the_way"][:, :-1]], dim=1)
        self.memory["on_the_way"] = on_the_way
        rows = torch.arange(len(action), device=action.device)
        late = on_the_way[rows, self.memory["lag"]]
        if self._noise_std > 0.0:
            late = late + self._noise_std * standard_normal(self._world.draw("action_noise", 2 * action.shape[1]))
        return late
