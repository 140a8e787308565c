"""A robot with a floating base: what is read of it beside its joints, and what is remembered of it."""

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.envs.parts import Memory
from genelab.mdp.rotations import quat_apply
from genelab.mdp.state import BodyState
from genelab.sim.engine import Engine


class Body:
    """Reads the base and the feet."""

    def __init__(self, cfg: EnvCfg, sim: Engine) -> None:
        """Find the feet by name."""
        assert cfg.robot.base is not None
        self._sim = sim
        self._control_dt = cfg.control_dt
        self._base = sim.names.link_id(cfg.robot.base.link)
        feet = cfg.feet.sites if cfg.feet else ()
        self._threshold = cfg.feet.force_threshold if cfg.feet else 0.0
        sites = [cfg.robot.sites[name] for name in feet]
        device = sim.device
        self._default_pos = torch.tensor(cfg.robot.pos, device=device)
        self._links = torch.tensor([sim.names.link_id(site.link) for site in sites], dtype=torch.int64, device=device)
        self._offsets = torch.tensor([site.pos for site in sites], dtype=torch.float32, device=device).reshape(-1, 3)
        joints, number = len(sim.names.joints), sim.num_envs
        self.memory: Memory = {
            "previous_joint_vel": torch.zeros(number, joints, device=device),
            "feet_contact": torch.zeros(number, len(sites), dtype=torch.bool, device=device),
            "feet_air_s": torch.zeros(number, len(sites), device=device),
        }

    def read(self, link_pos_w: Tensor, link_quat_w: Tensor, link_ang_vel_w: Tensor, origin_w: Tensor) -> BodyState:
        """The state, with feet as they were at the last `advance`. Shapes as in `StateView` and `BodyState`."""
        link_vel_w = self._sim.link_lin_vel_w()
        lever = quat_apply(link_quat_w[:, self._links], self._offsets.expand(len(link_pos_w), -1, -1))
        return BodyState(
            pos_w=link_pos_w[:, self._base],
            quat_w=link_quat_w[:, self._base],
            lin_vel_w=link_vel_w[:, self._base],
            ang_vel_w=link_ang_vel_w[:, self._base],
            default_pos=self._default_pos,
            joint_range=self._sim.joint_range,
            origin_w=origin_w,
            ground=self._sim.ground,
            contact_force_w=self._sim.contact_force_w(),
            joint_torque=self._sim.joint_torque(),
            previous_joint_vel=self.memory["previous_joint_vel"],
            control_dt=self._control_dt,
            feet_pos_w=link_pos_w[:, self._links] + lever,
            feet_vel_w=link_vel_w[:, self._links] + torch.linalg.cross(link_ang_vel_w[:, self._links], lever),
            feet_contact=self.memory["feet_contact"],
            feet_air_s=self.memory["feet_air_s"],
        )

    def advance(self) -> None:
        """Look at the feet after the physics of a control step."""
        force = self._sim.contact_force_w()[:, self._links]
        contact = force.norm(dim=-1) > self._threshold
        self.memory["feet_contact"] = contact
        self.memory["feet_air_s"] = (self.memory["feet_air_s"] + self._control_dt).masked_fill(contact, 0.0)

    def start(self, mask: Tensor) -> None:
        """A new episode starts in the air with every foot. Shape: (num_envs,) bool."""
        self.memory["feet_contact"] = self.memory["feet_contact"] & ~mask[:, None]
        self.memory["feet_air_s"] = self.memory["feet_air_s"].masked_fill(mask[:, None], 0.0)

    def keep(self, joint_vel: Tensor) -> None:
        """Remember the joint velocities with which the next control step begins. Shape: (num_envs, num_joints)."""
        self.memory["previous_joint_vel"] = joint_vel
