"""Rotations as unit quaternions w x y z."""

import torch
from torch import Tensor


def quat_apply_inverse(quat: Tensor, vector: Tensor) -> Tensor:
    """Rotate a vector by the inverse of a unit quaternion: v' = v - 2 w (u x v) + 2 u x (u x v).

    Shapes: (..., 4) w x y z and (..., 3) -> (..., 3).
    """
    real, imaginary = quat[..., :1], quat[..., 1:]
    twice_cross = 2.0 * torch.linalg.cross(imaginary, vector)
    return vector - real * twice_cross + torch.linalg.cross(imaginary, twice_cross)


def quat_apply(quat: Tensor, vector: Tensor) -> Tensor:
    """Rotate a vector by a unit quaternion: v' = v + 2 w (u x v) + 2 u x (u x v).

    Shapes: (..., 4) w x y z and (..., 3) -> (..., 3).
    """
    real, imaginary = quat[..., :1], quat[..., 1:]
    twice_cross = 2.0 * torch.linalg.cross(imaginary, vector)
    return vector + real * twice_cross + torch.linalg.cross(imaginary, twice_cross)


def quat_yaw(quat: Tensor) -> Tensor:
    """Heading of the x axis of unit quaternions, laid flat, rad. Shapes: (..., 4) w x y z -> (...,)."""
    w, x, y, z = quat.unbind(dim=-1)
    return torch.atan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))


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
