"""Inverse kinematics of the chains of hinges from the root to each foot, for all frames at once."""

from typing import Any

import numpy as np

from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.quaternions import Array

STEPS = 30
"""Newton steps at most."""
CLOSE = 1e-9
"""Error at which they end, m and rad."""


class Leg:
    """The hinges between the root and a foot, with axes through the origins of their links."""

    def __init__(self, model: Any, foot: str) -> None:
        """Read the chain. Angles start at the first joint below the root."""
        body, chain = int(model.body(foot).id), list[int]()
        while model.body_parentid[body] != 0:
            chain.insert(0, body)
            body = int(model.body_parentid[body])
        joints = [int(model.body_jntadr[link]) for link in chain]
        self.columns = np.array([int(model.jnt_qposadr[joint]) - 7 for joint in joints])
        """Of its joints among all."""
        self._offsets, self._turns = model.body_pos[chain], model.body_quat[chain]
        self._axes = model.jnt_axis[joints]

    def solve(self, root: tuple[Array, Array], foot: tuple[Array, Array], start: Array) -> tuple[Array, float]:
        """Angles that bring the foot to its pose.

        Args:
            root: positions, m, (frames, 3), and orientations, (frames, 4).
            foot: the same of the foot's link.
            start: angles to begin with, rad, (frames, joints), on the side on which the solution is wanted.

        Returns:
            Angles, rad, (frames, joints), and the largest error that is left, m or rad.
        """
        angles = start.copy()
        for _ in range(STEPS):
            origins, axes, pos, rot = self._forward(root, angles)
            off = np.concatenate([foot[0] - pos, quat.log(quat.multiply(foot[1], quat.conjugate(rot)))], 1)
            if np.abs(off).max() < CLOSE:
                break
            # Transposed: (frames, joints, 6).
            jacobian = np.concatenate([np.cross(axes, pos[:, None] - origins), axes], 2)
            # Damped, so that a pose out of reach ends near it and not anywhere.
            square = jacobian.transpose(0, 2, 1) @ jacobian + 1e-8 * np.eye(6)
            step = jacobian @ np.linalg.solve(square, off[..., None])
            angles = angles + np.clip(step[..., 0], -0.5, 0.5)
        _, _, pos, rot = self._forward(root, angles)
        turned = quat.log(quat.multiply(foot[1], quat.conjugate(rot)))
        return angles, float(max(np.abs(foot[0] - pos).max(), np.abs(turned).max()))

    def _forward(self, root: tuple[Array, Array], angles: Array) -> tuple[Array, Array, Array, Array]:
        """Origins and axes of the joints, (frames, joints, 3), and the foot's pose."""
        pos, rot = root
        origins, axes = list[Array](), list[Array]()
        for k in range(angles.shape[1]):
            pos = pos + quat.rotate(rot, np.broadcast_to(self._offsets[k], pos.shape))
            rot = quat.multiply(rot, np.broadcast_to(self._turns[k], rot.shape))
            origins.append(pos)
            axes.append(quat.rotate(rot, np.broadcast_to(self._axes[k], pos.shape)))
            rot = quat.multiply(rot, quat.about(self._axes[k], angles[:, k]))
        return np.stack(origins, 1), np.stack(axes, 1), pos, rot
