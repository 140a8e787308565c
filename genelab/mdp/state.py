"""What terms read: the state after a control step, by joint and link name."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genelab.mdp.terrain import HeightMap


@dataclass(frozen=True)
class Names:
    """Column order of joints, links and objects in the state tensors."""

    joints: tuple[str, ...]
    links: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def joint_ids(self, joints: Sequence[str]) -> list[int]:
        """Columns of the named joints. Raises ValueError on an unknown name."""
        return _ids(joints, self.joints, "joint")

    def joint_columns(self, joints: Sequence[str], device: torch.device) -> Tensor:
        """Columns of the named joints as an index tensor, int64. Raises ValueError on an unknown name."""
        return _columns(self, tuple(joints), device)

    def link_id(self, link: str) -> int:
        """Column of the named link. Raises ValueError on an unknown name."""
        return _ids([link], self.links, "link")[0]

    def object_id(self, name: str) -> int:
        """Column of the named object. Raises ValueError on an unknown name."""
        return _ids([name], self.objects, "object")[0]


@functools.cache
def _columns(names: Names, joints: tuple[str, ...], device: torch.device) -> Tensor:
    # Kept: indexing with a list would copy it to the device in every step, and a GPU would wait for that.
    return torch.tensor(names.joint_ids(joints), device=device)


def _ids(wanted: Sequence[str], known: tuple[str, ...], kind: str) -> list[int]:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"unknown {kind} {unknown}; known: {list(known)}")
    return [known.index(name) for name in wanted]


@dataclass(frozen=True)
class StateView:
    """State of all environments. Suffix `_w`: world frame, environment origin."""

    names: Names
    """Column order."""
    joint_pos: Tensor
    """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
    joint_vel: Tensor
    """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
    default_joint_pos: Tensor
    """Default joint positions, m or rad. Shape: (num_joints,)."""
    link_pos_w: Tensor
    """Link positions, m. Shape: (num_envs, num_links, 3)."""
    link_quat_w: Tensor
    """Link orientations, unit quaternions w x y z. Shape: (num_envs, num_links, 4)."""
    link_ang_vel_w: Tensor
    """Link angular velocities, rad/s. Shape: (num_envs, num_links, 3)."""
    object_pos_w: Tensor
    """Positions of the objects' centres, m. Shape: (num_envs, num_objects, 3)."""
    object_lin_vel_w: Tensor
    """Linear velocities of the objects, m/s. Shape: (num_envs, num_objects, 3)."""
    commands: Mapping[str, Tensor]
    """What the policy is asked for, by name. Shape of each: (num_envs, dim)."""
    action: Tensor
    """Raw action of this step. Shape: (num_envs, num_actions)."""
    previous_action: Tensor
    """Raw action of the step before, zero at the start of an episode. Shape: (num_envs, num_actions)."""
    episode_step: Tensor
    """Control steps since the episode began, int64. Shape: (num_envs,)."""
    max_episode_steps: int
    """Control steps after which an episode is truncated."""
    terrain: HeightMap = field(default_factory=HeightMap.flat)
    """The ground."""

    def joint_pos_of(self, joints: Sequence[str]) -> Tensor:
        """Positions of the named joints, m or rad. Shape: (num_envs, len(joints))."""
        return self.joint_pos.index_select(1, self.names.joint_columns(joints, self.joint_pos.device))

    def joint_vel_of(self, joints: Sequence[str]) -> Tensor:
        """Velocities of the named joints, m/s or rad/s. Shape: (num_envs, len(joints))."""
        return self.joint_vel.index_select(1, self.names.joint_columns(joints, self.joint_vel.device))


@dataclass(frozen=True)
class EventContext:
    """What an event may read."""

    state: StateView
    """The current state."""
    uniform: Callable[[int], Tensor]
    """Draws of this event: dim -> (num_envs, dim) in [0, 1)."""


@dataclass(frozen=True)
class StateWrite:
    """What an event wants written in the environments it applies to; None leaves a quantity as it is."""

    joint_pos: Tensor | None = None
    """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
    joint_vel: Tensor | None = None
    """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
    object_pose_w: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Position (m) and orientation (w x y z) of objects by name; they come to rest. Shape of each: (num_envs, 7)."""


def quat_apply_inverse(quat: Tensor, vector: Tensor) -> Tensor:
    """Rotate a vector by the inverse of a unit quaternion: v' = v - 2 w (u x v) + 2 u x (u x v).

    Shapes: (..., 4) w x y z and (..., 3) -> (..., 3).
    """
    real, imaginary = quat[..., :1], quat[..., 1:]
    twice_cross = 2.0 * torch.linalg.cross(imaginary, vector)
    return vector - real * twice_cross + torch.linalg.cross(imaginary, twice_cross)


def rotation_vector(quat: Tensor) -> Tensor:
    """Rotation vector (axis x angle, rad) of unit quaternions, of the shorter way round.

    Shapes: (..., 4) w x y z -> (..., 3).
    """
    shorter = torch.where(quat[..., :1] < 0.0, -quat, quat)
    real, imaginary = shorter[..., :1], shorter[..., 1:]
    sine = imaginary.norm(dim=-1, keepdim=True)
    # angle / sin(angle / 2) tends to 2 for small angles.
    factor = torch.where(sine > 1e-6, 2.0 * torch.atan2(sine, real) / sine.clamp(min=1e-6), 2.0)
    return factor * imaginary


def quat_multiply(left: Tensor, right: Tensor) -> Tensor:
    """Hamilton product of quaternions w x y z. Shapes: (..., 4), (..., 4) -> (..., 4)."""
    a, b = left[..., :1], right[..., :1]
    u, v = left[..., 1:], right[..., 1:]
    real = a * b - (u * v).sum(dim=-1, keepdim=True)
    return torch.cat([real, a * v + b * u + torch.linalg.cross(*torch.broadcast_tensors(u, v))], dim=-1)


def quat_conjugate(quat: Tensor) -> Tensor:
    """The inverse of unit quaternions w x y z. Shapes: (..., 4) -> (..., 4)."""
    return torch.cat([quat[..., :1], -quat[..., 1:]], dim=-1)
