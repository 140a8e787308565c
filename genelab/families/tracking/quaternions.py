"""Rotations in numpy, as unit quaternions w x y z in float64. All functions take any number of leading dimensions."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def multiply(a: Array, b: Array) -> Array:
    """The product: first b, then a. Shapes: (..., 4)."""
    v, u = a[..., 1:], b[..., 1:]
    w = a[..., :1] * b[..., :1] - np.sum(v * u, -1, keepdims=True)
    return np.concatenate([w, a[..., :1] * u + b[..., :1] * v + np.cross(v, u)], -1)


def conjugate(q: Array) -> Array:
    """The inverse. Shape: (..., 4)."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(q: Array, v: Array) -> Array:
    """A vector turned by q. Shapes: (..., 4), (..., 3)."""
    across = 2.0 * np.cross(q[..., 1:], v)
    return v + q[..., :1] * across + np.cross(q[..., 1:], across)


def exp(v: Array) -> Array:
    """From a rotation vector, rad. Shape: (..., 3) -> (..., 4)."""
    half = 0.5 * np.linalg.norm(v, axis=-1, keepdims=True)
    # sin(x)/x without a division by zero: numpy's sinc is of pi x.
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * v], -1)


def log(q: Array) -> Array:
    """Rotation vector of the shorter way, rad. Shape: (..., 4) -> (..., 3)."""
    near = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(near[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, near[..., :1])
    return near[..., 1:] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def about(axis: Array, angle: Array) -> Array:
    """A turn by an angle, rad, about a unit vector. Shapes: (..., 3), (...) -> (..., 4)."""
    half = 0.5 * angle[..., None]
    return np.concatenate([np.cos(half), np.sin(half) * axis], -1)


def yaw(angle: Array) -> Array:
    """A turn about z, rad. Shape: (...) -> (..., 4)."""
    return about(np.array([0.0, 0.0, 1.0]), angle)


def euler_xyz(angles: Array) -> Array:
    """Turns about the fixed axes x, then y, then z, rad. Shape: (..., 3) -> (..., 4)."""
    x, y, z = (about(axis, angles[..., k]) for k, axis in enumerate(np.eye(3)))
    return multiply(z, multiply(y, x))


def slerp(a: Array, b: Array, share: Array) -> Array:
    """Between two rotations along the shorter way. Shapes: (..., 4), (..., 4), (...) -> (..., 4)."""
    return multiply(exp(share[..., None] * log(multiply(b, conjugate(a)))), a)
