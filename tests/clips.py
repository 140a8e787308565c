"""Motion clips for the tests, by MuJoCo's kinematics of the robot's own model."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from genelab.config.env import EnvCfg
from genelab.config.model_file import load_model
from genelab.config.overrides import apply_overrides
from genelab.config.scene import RobotCfg
from genelab.config.task import TaskSpec
from genelab.families.tracking.clip import Clip, ClipInfo
from genelab.registry import get_task

mj: Any = mujoco  # its stubs name no classes
G1_TRACKING = "Genelab-Tracking-Flat-Unitree-G1-v0"
STANDING_M = 0.76
"""Height of the pelvis of the G1 in its default pose, soles on the ground, about."""


def clip(robot: RobotCfg, base: NDArray[Any], joint_pos: NDArray[Any], fps: float = 50.0) -> Clip:
    """A clip of these poses, with the velocities of central differences.

    Args:
        robot: the robot.
        base: positions and orientations (w x y z) of the base. Shape: (frames, 7).
        joint_pos: in the order of the robot. Shape: (frames, joints).
        fps: frames per second.
    """
    model: Any = load_model(robot.model, robot.model_sha256)
    data, frames = mj.MjData(model), len(base)
    joints = [model.joint(name) for name in robot.joints]
    bodies = [model.body(name).id for name in robot.links]
    qpos, qvel = np.zeros((frames, model.nq)), np.zeros((frames, model.nv))
    qpos[:, :7], qpos[:, [joint.qposadr[0] for joint in joints]] = base, joint_pos
    for k in range(frames):
        before, after = max(k - 1, 0), min(k + 1, frames - 1)
        mj.mj_differentiatePos(model, qvel[k], max(after - before, 1) / fps, qpos[before], qpos[after])
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in ("pos", "quat", "lin", "ang")}
    velocity = np.zeros(6)
    for k in range(frames):
        data.qpos[:], data.qvel[:] = qpos[k], qvel[k]
        mj.mj_forward(model, data)
        found: list[NDArray[Any]] = []
        for body in bodies:
            mj.mj_objectVelocity(model, data, mj.mjtObj.mjOBJ_XBODY, body, velocity, 0)
            found.append(velocity.copy())
        ang, lin = np.split(np.array(found), 2, axis=1)
        for name, row in zip(rows, (data.xpos[bodies], data.xquat[bodies], lin, ang), strict=True):
            rows[name].append(row.copy())
    arrays = {name: np.array(row, dtype=np.float32) for name, row in rows.items()}
    info = ClipInfo.of(
        robot,
        name="test",
        fps=fps,
        source="made for a test",
        licence="Apache-2.0",
        input_sha256=None,
        options={},
    )
    return Clip(
        info,
        joint_pos=joint_pos.astype(np.float32),
        joint_vel=qvel[:, [joint.dofadr[0] for joint in joints]].astype(np.float32),
        link_pos_w=arrays["pos"],
        link_quat_w=arrays["quat"],
        link_lin_vel_w=arrays["lin"],
        link_ang_vel_w=arrays["ang"],
    )


def swaying(robot: RobotCfg, frames: int, pace: float = 1.0) -> Clip:
    """The robot goes around and sways about its default pose, every joint at a frequency of its own, times the pace."""
    time = np.arange(frames)[:, None] / 50.0
    phases = np.arange(len(robot.joints))
    default = np.array([robot.default_of(joint) for joint in robot.joints])
    joint_pos = default + 0.1 * np.sin(2.0 * np.pi * pace * time * (0.3 + 0.02 * phases) + phases)
    yaw = 0.5 * time[:, 0]
    base = np.zeros((frames, 7))
    base[:, :3] = np.stack([0.3 * time[:, 0], 0.1 * time[:, 0], STANDING_M + 0.02 * np.sin(3.0 * time[:, 0])], axis=1)
    base[:, 3], base[:, 6] = np.cos(0.5 * yaw), np.sin(0.5 * yaw)
    return clip(robot, base, joint_pos)


def standing(robot: RobotCfg, frames: int) -> Clip:
    """The robot stands still in its default pose."""
    default = np.array([robot.default_of(joint) for joint in robot.joints])
    base = np.tile([0.0, 0.0, STANDING_M, 1.0, 0.0, 0.0, 0.0], (frames, 1))
    return clip(robot, base, np.tile(default, (frames, 1)))


def with_clip(made: Clip, folder: Path, task_id: str = G1_TRACKING) -> TaskSpec:
    """A tracking task whose clip is this one, written to a folder."""
    return _chosen(get_task(task_id), made, folder)


def ready(task: TaskSpec, folder: Path) -> TaskSpec:
    """A task as it is, or with a clip, written to a folder, if it leaves one open."""
    if not isinstance(task.env, EnvCfg) or "motion" not in task.env.parts:
        return task
    return _chosen(task, standing(task.env.robot, 50), folder)


def _chosen(task: TaskSpec, made: Clip, folder: Path) -> TaskSpec:
    path = folder / "clip.safetensors"
    path.write_bytes(made.encode())
    return apply_overrides(task, [f"env.parts.motion.params.clip={path}"])[0]
