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


def quat_of_angles(roll: Tensor, pitch: Tensor, yaw: Tensor) -> Tensor:
    """Turn by roll about x, then by pitch about the fixed y axis, then by yaw about the fixed z axis, rad.

    Shapes: (...), (...), (...) -> (..., 4) w x y z.
    """
    (cr, cp, cy), (sr, sp, sy) = ([f(0.5 * angle) for angle in (roll, pitch, yaw)] for f in (torch.cos, torch.sin))
    parts = [
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    ]
    return torch.stack(parts, dim=-1)


def two_columns(quat: Tensor) -> Tensor:
    """The first two columns of the rotation matrices of unit quaternions, row by row: xx, xy, yx, yy, zx, zy.

    Shapes: (..., 4) w x y z -> (..., 6).
    """
    w, x, y, z = quat.unbind(-1)
    parts = [
        1.0 - 2.0 * (y * y + z * z),
        2.0 * (x * y - w * z),
        2.0 * (x * y + w * z),
        1.0 - 2.0 * (x * x + z * z),
        2.0 * (x * z - w * y),
        2.0 * (y * z + w * x),
    ]
    return torch.stack(parts, dim=-1)


def quat_multiply(left: Tensor, right: Tensor) -> Tensor:
    """Hamilton product of quaternions w x y z. Shapes: (..., 4), (..., 4) -> (..., 4)."""
    a, b = left[..., :1], right[..., :1]
    u, v = left[..., 1:], right[..., 1:]
    real = a * b - (u * v).sum(dim=-1, keepdim=True)
    return torch.cat([real, a * v + b * u + torch.linalg.cross(*torch.broadcast_tensors(u, v))], dim=-1)


def quat_conjugate(quat: Tensor) -> Tensor:
    """The inverse of unit quaternions w x y z. Shapes: (..., 4) -> (..., 4)."""
    return torch.cat([quat[..., :1], -quat[..., 1:]], dim=-1)
