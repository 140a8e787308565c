"""What terms read: the state after a control step, by joint and link name."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Names:
    """Column order of joints and links in the state tensors."""

    joints: tuple[str, ...]
    links: tuple[str, ...]

    def joint_ids(self, joints: Sequence[str]) -> list[int]:
        """Columns of the named joints. Raises ValueError on an unknown name."""
        return _ids(joints, self.joints, "joint")

    def joint_columns(self, joints: Sequence[str], device: torch.device) -> Tensor:
        """Columns of the named joints as an index tensor, int64. Raises ValueError on an unknown name."""
        return _columns(self, tuple(joints), device)

    def link_id(self, link: str) -> int:
        """Column of the named link. Raises ValueError on an unknown name."""
        return _ids([link], self.links, "link")[0]


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
    link_quat_w: Tensor
    """Link orientations, unit quaternions w x y z. Shape: (num_envs, num_links, 4)."""
    link_ang_vel_w: Tensor
    """Link angular velocities, rad/s. Shape: (num_envs, num_links, 3)."""
    action: Tensor
    """Raw action of this step. Shape: (num_envs, num_actions)."""
    previous_action: Tensor
    """Raw action of the step before, zero at the start of an episode. Shape: (num_envs, num_actions)."""
    episode_step: Tensor
    """Control steps since the episode began, int64. Shape: (num_envs,)."""

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


def quat_apply_inverse(quat: Tensor, vector: Tensor) -> Tensor:
    """Rotate a vector by the inverse of a unit quaternion: v' = v - 2 w (u x v) + 2 u x (u x v).

    Shapes: (..., 4) w x y z and (..., 3) -> (..., 3).
    """
    real, imaginary = quat[..., :1], quat[..., 1:]
    twice_cross = 2.0 * torch.linalg.cross(imaginary, vector)
    return vector - real * twice_cross + torch.linalg.cross(imaginary, twice_cross)
