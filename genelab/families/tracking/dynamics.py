"""What a motion asks of the robot: forces on the feet, the zero-moment point, torques, by inverse dynamics."""

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from genelab.config.scene import RobotCfg
from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.kinematics import Motion, link_poses, model_of, velocities
from genelab.families.tracking.quaternions import Array
from genelab.families.tracking.recipes import FeetCfg

mj: Any = mujoco  # its stubs name no classes

ON_GROUND_M, AT_REST_MPS = 0.01, 0.1
"""A foot carries weight where its sole is not higher and its link not faster."""
DIRECTIONS = 720
"""Directions in which the edge of the support is looked for."""


@dataclass(frozen=True)
class Sole:
    """Where a foot can touch the ground: centres of balls, and of the ends of capsules."""

    centres: Array
    """In the frame of its link, m. Shape: (points, 3)."""
    radii: Array
    """m. Shape: (points,)."""


def sole_of(robot: RobotCfg, link: str) -> Sole:
    """The sole of a link: its geoms that collide and that the robot does not leave out.

    Raises:
        ValueError: if one is neither a ball nor a capsule.
    """
    model, centres, radii = model_of(robot), list[Array](), list[float]()
    for geom in range(model.ngeom):
        one = model.geom(geom)
        if one.bodyid[0] != model.body(link).id or not one.contype[0] or one.name in robot.geoms_left_out:
            continue
        kinds = {int(mj.mjtGeom.mjGEOM_SPHERE): (0.0,), int(mj.mjtGeom.mjGEOM_CAPSULE): (-1.0, 1.0)}
        if int(one.type[0]) not in kinds:
            raise ValueError(f"geom '{one.name}' of {link} is neither a ball nor a capsule")
        along = quat.rotate(one.quat, np.array([0.0, 0.0, one.size[1]]))
        centres += [one.pos + end * along for end in kinds[int(one.type[0])]]
        radii += [one.size[0]] * len(kinds[int(one.type[0])])
    return Sole(np.array(centres), np.array(radii))


@dataclass(frozen=True)
class Stance:
    """How a robot stands in its default pose, feet flat, the ankles at x = 0."""

    height: float
    """Of the pelvis, m."""
    pelvis: Array
    """Its place, x and y, m."""
    spread: float
    """Half of the distance between the feet, m."""
    com: Array
    """Centre of mass, m."""
    joint_pos: Array
    """rad. Shape: (joints,)."""


def stance_of(robot: RobotCfg, feet: FeetCfg) -> Stance:
    """How a robot stands in its default pose."""
    model, joints = model_of(robot), np.array([robot.default_of(joint) for joint in robot.joints])
    pose = Motion(1.0, np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0, 0.0]]), joints[None])
    pos = link_poses(model, pose, feet.links)[0][0]
    data = mj.MjData(model)
    data.qpos[:] = pose.qpos[0]
    mj.mj_fwdPosition(model, data)
    away = np.array([-pos[:, 0].mean(), 0.0, feet.sole - pos[:, 2].mean()])
    return Stance(away[2], away[:2], float(pos[0, 1] - pos[1, 1]) / 2.0, data.subtree_com[0] + away, joints)


class Dynamics:
    """Inverse dynamics of a motion, whose accelerations are second differences of its frames.

    The ends of a motion are taken to go on as their neighbours.
    """

    def __init__(self, robot: RobotCfg, feet: FeetCfg, motion: Motion) -> None:
        self._feet, self._motion = feet, motion
        self._model: Any = copy.copy(model_of(robot))
        # The ground carries the feet and nothing else holds the robot.
        self._model.opt.disableflags |= int(mj.mjtDisableBit.mjDSBL_CONSTRAINT)
        for joint in robot.joints:
            own = self._model.joint(joint)
            own.armature[:] = robot.armature_of(joint, float(own.armature[0]))
        self._soles = [sole_of(robot, link) for link in feet.links]

    @cached_property
    def forces(self) -> Array:
        """Generalized forces without those of the ground: N and N m about the root, then N m of every joint.

        Shape: (frames, 6 + joints).
        """
        model, qpos, dt = self._model, self._motion.qpos, 1.0 / self._motion.fps
        data, steps = mj.MjData(model), np.empty((len(qpos) - 1, model.nv))
        for frame in range(len(steps)):
            mj.mj_differentiatePos(model, steps[frame], dt, qpos[frame], qpos[frame + 1])
        found = np.empty((len(qpos), model.nv))
        for frame in range(1, len(qpos) - 1):
            data.qpos[:] = qpos[frame]
            data.qvel[:] = (steps[frame] + steps[frame - 1]) / 2.0
            data.qacc[:] = (steps[frame] - steps[frame - 1]) / dt
            mj.mj_inverse(model, data)
            found[frame] = data.qfrc_inverse
        found[0], found[-1] = found[1], found[-2]
        return found

    @cached_property
    def ground(self) -> tuple[Array, Array]:
        """What the ground must exert: the force, N, and its moment about the world's origin, N m. World frame.

        Shapes: (frames, 3) each.
        """
        force = self.forces[:, :3]
        # MuJoCo tells the moment about the root's origin in the root's own frame.
        moment = quat.rotate(self._motion.root_quat, self.forces[:, 3:6])
        return force, moment + np.cross(self._motion.root_pos, force)

    @cached_property
    def zmp(self) -> Array:
        """Zero-moment point on the ground, m: where that force has no moment about x and y. Shape: (frames, 2)."""
        force, moment = self.ground
        return np.stack([-moment[:, 1], moment[:, 0]], 1) / force[:, 2:]

    @cached_property
    def foot_poses(self) -> tuple[Array, Array]:
        """Origins of the feet, m, and their orientations. Shapes: (frames, 2, 3), (frames, 2, 4)."""
        return link_poses(self._model, self._motion, self._feet.links)

    @cached_property
    def sole_heights(self) -> Array:
        """Height of the lowest point of either sole, m. Shape: (frames, 2)."""
        return np.stack([(points[..., 2] - sole.radii).min(1) for points, sole in self._points()], 1)

    @cached_property
    def sliding(self) -> Array:
        """Speed along the ground of the lowest point of both soles, m/s: 0 of a foot that rolls. Shape: (frames,)."""
        heights, speeds = list[Array](), list[Array]()
        for points, sole in self._points():
            heights.append(points[..., 2] - sole.radii)
            speeds.append(np.linalg.norm(velocities(points[..., :2], self._motion.fps), axis=2))
        lowest = np.concatenate(heights, 1).argmin(1)
        return np.concatenate(speeds, 1)[np.arange(len(lowest)), lowest]

    @cached_property
    def foot_vel(self) -> Array:
        """Velocity of the feet's origins, m/s. Shape: (frames, 2, 3)."""
        return velocities(self.foot_poses[0], self._motion.fps)

    @cached_property
    def stance(self) -> NDArray[np.bool_]:
        """Which foot carries weight, by height and speed. Shape: (frames, 2)."""
        return (self.sole_heights < ON_GROUND_M) & (np.linalg.norm(self.foot_vel, axis=2) < AT_REST_MPS)

    @cached_property
    def margin(self) -> Array:
        """How far the zero-moment point lies within the convex hull of what carries weight, m; negative outside.

        Up to half a millimetre too large, as the hull is looked at from `DIRECTIONS` sides. NaN where no foot carries
        weight. Shape: (frames,).
        """
        angles = 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        sides = np.stack([np.cos(angles), np.sin(angles)])
        edge = np.full((len(self.zmp), DIRECTIONS), -np.inf)
        for foot, (points, _) in enumerate(self._points()):
            # Point by point: all at once would take gigabytes for minutes of motion.
            for point in np.moveaxis(points, 1, 0):
                reach = np.where(self.stance[:, foot, None], point[:, :2] @ sides, -np.inf)
                np.maximum(edge, reach, out=edge)
        found = (edge - self.zmp @ sides).min(1)
        return np.where(np.isfinite(found), found, np.nan)

    @cached_property
    def contacts(self) -> tuple[Array, Array, Array]:
        """What the ground exerts on either foot: where, m, the force, N, and its moment about that point, N m.

        With both feet down, each carries a share by how near the zero-moment point is along the line between them, and
        of the moment that is left the same share. Where no foot carries weight, nothing is exerted. World frame.
        Shapes: (frames, 2, 3) each.
        """
        pos, rot = self.foot_poses
        spot = np.array([self._feet.middle, 0.0, -self._feet.sole])
        middles = pos + quat.rotate(rot, np.broadcast_to(spot, pos.shape))
        shares, (force, moment) = self._shares(middles[..., :2])[..., None], self.ground
        forces = shares * force[:, None]
        rest = moment - np.cross(middles, forces).sum(1)
        return middles, forces, shares * rest[:, None]

    def torques(self) -> Array:
        """Torques of the joints that hold the motion, with the ground's `contacts` at the feet.

        A controller of the law kp (target - q) - kv qdot exerts them where its targets are q + (torque + kv qdot) / kp.

        Returns:
            N m, in the order of the model. Shape: (frames, joints).
        """
        model, data = self._model, mj.MjData(self._model)
        points, forces, moments = self.contacts
        jac_pos, jac_rot = np.empty((3, model.nv)), np.empty((3, model.nv))
        found = self.forces.copy()
        for frame, qpos in enumerate(self._motion.qpos):
            data.qpos[:] = qpos
            mj.mj_kinematics(model, data)
            mj.mj_comPos(model, data)
            for foot, link in enumerate(self._feet.links):
                mj.mj_jac(model, data, jac_pos, jac_rot, points[frame, foot], model.body(link).id)
                found[frame] -= forces[frame, foot] @ jac_pos + moments[frame, foot] @ jac_rot
        return found[:, 6:]

    def _shares(self, middles: Array) -> Array:
        """Share of either foot in the force. Shapes: (frames, 2, 2) -> (frames, 2)."""
        line = middles[:, 1] - middles[:, 0]
        right = np.sum((self.zmp - middles[:, 0]) * line, 1) / np.sum(line**2, 1)
        right = np.where(self.stance.all(1), np.clip(right, 0.0, 1.0), self.stance[:, 1])
        return np.stack([np.where(self.stance.any(1), 1.0 - right, 0.0), right], 1)

    def _points(self) -> list[tuple[Array, Sole]]:
        """Centres of both soles' points in the world frame, (frames, points, 3)."""
        pos, rot = self.foot_poses
        turned = [quat.rotate(rot[:, k, None], sole.centres[None]) for k, sole in enumerate(self._soles)]
        return [(pos[:, k, None] + points, self._soles[k]) for k, points in enumerate(turned)]
