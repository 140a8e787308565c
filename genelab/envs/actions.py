"""What an action does: from the raw action to targets of the driven joints."""

from typing import Protocol

import torch
from torch import Tensor

from genelab.config.actions import ActionCfg, DifferentialIkCfg, JointTargetsCfg
from genelab.mdp.kinematics import damped_least_squares
from genelab.mdp.rotations import quat_conjugate, quat_multiply, rotation_vector
from genelab.sim.engine import Engine


class Action(Protocol):
    """Computes targets. Has no memory: a resume needs nothing of it."""

    def targets(self, action: Tensor) -> Tensor:
        """Targets of the driven joints, m or rad. Shapes: (num_envs, columns) -> (num_envs, driven joints)."""
        ...


def make_action(cfg: ActionCfg, sim: Engine) -> Action:
    """The action of an environment."""
    match cfg:
        case JointTargetsCfg():
            return JointTargets(cfg, sim)
        case DifferentialIkCfg():
            return DifferentialIk(cfg, sim)


class JointTargets:
    """See `JointTargetsCfg`."""

    def __init__(self, cfg: JointTargetsCfg, sim: Engine) -> None:
        scales = cfg.scales(sim.names.joints)
        self._scale = torch.tensor(list(scales.values()), device=sim.device)
        # A velocity target has no default but zero.
        wants_velocity = torch.tensor([sim.wants_velocity(joint) for joint in scales], device=sim.device)
        self._default = sim.default_targets.masked_fill(wants_velocity, 0.0)

    def targets(self, action: Tensor) -> Tensor:
        """Positions around the defaults and velocities, not clipped."""
        return self._default + self._scale * action


class DifferentialIk:
    """See `DifferentialIkCfg`."""

    def __init__(self, cfg: DifferentialIkCfg, sim: Engine) -> None:
        self._cfg, self._sim = cfg, sim
        # Tensors: a list as an index would be copied to the device in every step, and a GPU would wait for that.
        self._arm, self._fingers = (
            sim.names.joint_columns(part(sim.names.joints), sim.device) for part in (cfg.arm, cfg.fingers)
        )
        self._link = sim.names.link_id(cfg.link)
        self._quat_w = sim.default_link_quat_w[self._link]
        self._low, self._high = sim.joint_range[:, self._arm]

    def targets(self, action: Tensor) -> Tensor:
        """Targets relative to the sensed positions: what the arm did not reach is not made up for."""
        cfg, clipped = self._cfg, action.clamp(-1.0, 1.0)
        joint_pos = self._sim.joint_pos()
        turn = quat_multiply(self._quat_w, quat_conjugate(self._sim.link_quat_w()[:, self._link]))
        displacement = torch.cat([cfg.scale * clipped[:, :3], cfg.orientation_gain * rotation_vector(turn)], dim=1)
        jacobian = self._sim.jacobian(cfg.link)[:, :, self._arm]
        step = damped_least_squares(jacobian, displacement, cfg.damping).clamp(-cfg.max_joint_step, cfg.max_joint_step)
        arm = torch.clamp(joint_pos[:, self._arm] + step, self._low, self._high)
        width = joint_pos[:, self._fingers].mean(dim=1, keepdim=True) + cfg.gripper.scale * clipped[:, 3:]
        fingers = width.clamp(*cfg.gripper.range).expand(-1, len(self._fingers))
        return torch.cat([arm, fingers], dim=1)
