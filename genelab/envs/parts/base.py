"""A robot with a floating base: what is read of it beside its joints, and what is remembered of it."""

import torch

from genelab.envs.parts.part import Part, World
from genelab.mdp.state import BaseState, PlaceState, StateView


class Base(Part):
    """Reads the base, contact forces and torques, and remembers joint velocities."""

    def __init__(self, world: World) -> None:
        super().__init__()
        robot = world.cfg.robot
        assert robot.base is not None
        self._world, self._sim = world, world.sim
        self._base = world.sim.names.link_id(robot.base)
        self._default_pos = torch.tensor(robot.pos, device=world.device)
        self._middle_w = world.zeros(3)
        self.memory["previous_joint_vel"] = world.zeros(len(world.sim.names.joints))

    def begin(self) -> None:
        """Forget the joint velocities."""
        self.memory["previous_joint_vel"] = torch.zeros_like(self.memory["previous_joint_vel"])

    def view(self, state: StateView) -> BaseState:
        """What is known of the base."""
        link_lin_vel_w = self._sim.link_lin_vel_w()
        return BaseState(
            pos_w=state.link_pos_w[:, self._base],
            quat_w=state.link_quat_w[:, self._base],
            lin_vel_w=link_lin_vel_w[:, self._base],
            ang_vel_w=state.link_ang_vel_w[:, self._base],
            link_lin_vel_w=link_lin_vel_w,
            default_pos=self._default_pos,
            joint_range=self._sim.joint_range,
            origin_w=state.of(PlaceState).origin_w if PlaceState in state.views else self._middle_w,
            ground=self._sim.ground,
            contact_force_w=self._sim.contact_force_w(),
            joint_torque=self._sim.joint_torque(),
            previous_joint_vel=self.memory["previous_joint_vel"],
            control_dt=self._world.cfg.control_dt,
        )

    def keep(self, state: StateView) -> None:
        """Remember the joint velocities with which the next control step begins."""
        self.memory["previous_joint_vel"] = state.joint_vel
