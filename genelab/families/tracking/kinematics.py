"""From poses of a root and positions of joints to a whole clip: resampling, forward kinematics, velocities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from genelab.config.model_file import load_model
from genelab.config.scene import RobotCfg
from genelab.errors import InputError
from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.clip import Clip, ClipInfo
from genelab.families.tracking.quaternions import Array

mj: Any = mujoco  # its stubs name no classes


@dataclass(frozen=True)
class Motion:
    """What determines a clip."""

    fps: float
    """Frames per second."""
    root_pos: Array
    """Origin of the floating base, m, world frame. Shape: (frames, 3)."""
    root_quat: Array
    """Its orientation. Shape: (frames, 4)."""
    joint_pos: Array
    """rad, in the order of the model. Shape: (frames, joints)."""

    @property
    def qpos(self) -> Array:
        """As MuJoCo has it. Shape: (frames, 7 + joints)."""
        return np.concatenate([self.root_pos, self.root_quat, self.joint_pos], 1)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.root_pos)


def model_of(robot: RobotCfg) -> Any:
    """The robot's own `MjModel`.

    Raises:
        InputError: if its base is not the first joint, or floats not at all.
    """
    model = load_model(robot.model, robot.model_sha256)
    if model.njnt == 0 or model.jnt_type[0] != mj.mjtJoint.mjJNT_FREE:
        raise InputError(f"model = '{robot.model}': has no floating base, so no clip can be followed")
    return model


def motion_of(clip: Clip) -> Motion:
    """What determines a clip."""
    pos, rot, joints = clip.link_pos_w[:, 0], clip.link_quat_w[:, 0], clip.joint_pos
    rot = rot.astype(np.float64)
    rot /= np.linalg.norm(rot, axis=1, keepdims=True)
    return Motion(clip.info.fps, pos.astype(np.float64), rot, joints.astype(np.float64))


def resampled(motion: Motion, fps: float) -> Motion:
    """The same motion at other times: positions linearly, the root's orientation by slerp.

    The last frame is kept where it lies on the new grid. At the same rate nothing changes.
    """
    if motion.fps == fps:
        return motion
    # Without the margin, rounding would lose a last frame that lies on the grid.
    count = int((motion.frames - 1) / motion.fps * fps + 1e-6) + 1
    at = np.minimum(np.arange(count) / fps * motion.fps, motion.frames - 1)
    low = np.minimum(at.astype(int), motion.frames - 2)
    share = at - low

    def between(values: Array) -> Array:
        return values[low] + share[:, None] * (values[low + 1] - values[low])

    turned = quat.slerp(motion.root_quat[low], motion.root_quat[low + 1], share)
    return Motion(fps, between(motion.root_pos), turned, between(motion.joint_pos))


def link_poses(model: Any, motion: Motion, links: Sequence[str]) -> tuple[Array, Array]:
    """Forward kinematics: origins of the links, m, and their orientations, in the world frame.

    Shapes: (frames, links, 3), (frames, links, 4).
    """
    data = mj.MjData(model)
    bodies = [model.body(name).id for name in links]
    pos, rot = np.empty((motion.frames, len(bodies), 3)), np.empty((motion.frames, len(bodies), 4))
    for frame, qpos in enumerate(motion.qpos):
        data.qpos[:] = qpos
        mj.mj_kinematics(model, data)
        pos[frame], rot[frame] = data.xpos[bodies], data.xquat[bodies]
    return pos, rot


def velocities(values: Array, fps: float) -> Array:
    """Central differences over the two neighbours, the ends repeated. Shape: (frames, ...)."""
    return _ends_repeated((values[2:] - values[:-2]) * (fps / 2.0))


def angular_velocities(rotations: Array, fps: float) -> Array:
    """log(q[k+1] q[k-1]^-1) / (2 dt) in the world frame, rad/s, the ends repeated. Shape: (frames, ..., 4 -> 3)."""
    return _ends_repeated(quat.log(quat.multiply(rotations[2:], quat.conjugate(rotations[:-2]))) * (fps / 2.0))


def clip_of(motion: Motion, robot: RobotCfg, info: ClipInfo) -> Clip:
    """The whole clip of a motion, at its own rate: what the robot's model and differences in time add to it."""
    pos, rot = link_poses(model_of(robot), motion, info.links)
    arrays = {
        "joint_pos": motion.joint_pos,
        "joint_vel": velocities(motion.joint_pos, motion.fps),
        "link_pos_w": pos,
        "link_quat_w": rot,
        "link_lin_vel_w": velocities(pos, motion.fps),
        "link_ang_vel_w": angular_velocities(rot, motion.fps),
    }
    return Clip(info, **{name: array.astype(np.float32) for name, array in arrays.items()})


def _ends_repeated(inner: Array) -> Array:
    return np.concatenate([inner[:1], inner, inner[-1:]])
