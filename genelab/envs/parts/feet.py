"""The feet of a robot: where they are, whether they touch the ground, and for how long they have been in the air."""

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.rotations import quat_apply
from genelab.mdp.state import FeetState, StateView


class Feet(Part):
    """Watches the feet that the config names."""

    def __init__(self, world: World) -> None:
        """Find the feet by name."""
        super().__init__()
        cfg = world.cfg.feet
        assert cfg is not None
        self._world, self._sim, self._threshold = world, world.sim, cfg.force_threshold
        sites = [world.cfg.robot.points[name] for name in world.cfg.feet_sites]
        links = [world.sim.names.link_id(site.link) for site in sites]
        self._links = torch.tensor(links, dtype=torch.int64, device=world.device)
        self._offsets = torch.tensor([site.pos for site in sites], dtype=torch.float32, device=world.device)
        self.begin()

    def begin(self) -> None:
        """Every foot is in the air, and has been for no time."""
        self.memory["contact"] = self._world.zeros(len(self._links), dtype=torch.bool)
        self.memory["air_s"] = self._world.zeros(len(self._links))

    def start(self, mask: Tensor) -> None:
        """A new episode starts in the air with every foot."""
        self.memory["contact"] = self.memory["contact"] & ~mask[:, None]
        self.memory["air_s"] = self.memory["air_s"].masked_fill(mask[:, None], 0.0)

    def sense(self) -> None:
        """A foot is in contact where the net contact force on its link is above the threshold."""
        contact = self._sim.contact_force_w()[:, self._links].norm(dim=-1) > self._threshold
        if self._world.purpose.frozen:
            contact = torch.ones_like(contact)
        self.memory["contact"] = contact
        self.memory["air_s"] = (self.memory["air_s"] + self._world.cfg.control_dt).masked_fill(contact, 0.0)

    def view(self, state: StateView) -> FeetState:
        """Where the feet are, and what was sensed of them."""
        link_lin_vel_w = state.floating.link_lin_vel_w
        lever = quat_apply(state.link_quat_w[:, self._links], self._offsets.expand(len(state.link_pos_w), -1, -1))
        return FeetState(
            pos_w=state.link_pos_w[:, self._links] + lever,
            vel_w=link_lin_vel_w[:, self._links] + torch.linalg.cross(state.link_ang_vel_w[:, self._links], lever),
            contact=self.memory["contact"],
            air_s=self.memory["air_s"],
            force_w=state.floating.contact_force_w[:, self._links],
        )
