"""Imports motions of other programs as clips of a robot."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genelab.config.scene import RobotCfg
from genelab.errors import FileError
from genelab.families.tracking.clip import Clip, ClipInfo
from genelab.families.tracking.dynamics import Dynamics
from genelab.families.tracking.formats import Given, read_motion
from genelab.families.tracking.kinematics import Motion, clip_of, motion_of, resampled
from genelab.families.tracking.quality import Quality, quality_of
from genelab.families.tracking.quaternions import Array
from genelab.families.tracking.recipes import Motions
from genelab.records.files import sha256_file

SHORTEST_S = 1.0
"""A clip is no shorter."""
NORM_OFF = 0.01
"""A quaternion may be so much longer or shorter than 1."""
JUMP_M = 0.1
"""The root may move so far from one frame to the next."""
HIGHEST_M, WIDEST_RAD = 5.0, 2.0 * np.pi
"""Of a root and of a joint; beyond them the unit is another one."""
NOT_STATED = "not stated"
"""Source and licence of a motion for which nobody says them."""


@dataclass(frozen=True)
class Import:
    """What to make of a file."""

    given: Given = field(default_factory=Given)
    """What the file does not say."""
    frames: tuple[int, int] | None = None
    """First and last frame, counted from 1, both taken; None for all."""
    ground: bool = False
    """Whether one constant lifts all frames, so that the median height of the lower sole is 0."""
    name: str | None = None
    """What it shows; None for the file's name."""
    source: str | None = None
    """Where it comes from; None if nobody says, unless the file does."""
    licence: str | None = None
    """Its licence, likewise."""


@dataclass(frozen=True)
class Imported:
    """A clip, and what to tell of it."""

    clip: Clip
    """It is fit to be written if `quality` has no problems."""
    quality: Quality
    """Measured on what is written."""
    warnings: list[str]
    """One line each."""


def import_clip(path: Path, robot: RobotCfg, motions: Motions, fps: float, asked: Import) -> Imported:
    """Make a clip of a file.

    Args:
        path: the file.
        robot: the robot that it is a motion of.
        motions: what is known of clips for the robot.
        fps: frames per second of the clip, as many as control steps.
        asked: what to make of it.

    Raises:
        InputError: if the file cannot be understood, or holds what cannot be a motion; names the file and the place.
    """
    found = read_motion(path, robot, motions.optional, asked.given)
    motion = _checked(path, _cut(path, found.motion, asked.frames), robot, asked.frames[0] if asked.frames else 1)
    given_fps, lift = motion.fps, 0.0
    motion = resampled(motion, fps)
    if asked.ground:
        lift = -float(np.median(Dynamics(robot, motions.feet, motion).sole_heights.min(1)))
        motion = Motion(fps, motion.root_pos + np.array([0.0, 0.0, lift]), motion.root_quat, motion.joint_pos)
    info = ClipInfo.of(
        robot,
        name=asked.name or (found.source.info.name if found.source else path.stem),
        fps=fps,
        source=asked.source or (found.source.info.source if found.source else NOT_STATED),
        licence=asked.licence or (found.source.info.licence if found.source else NOT_STATED),
        input_sha256=sha256_file(path),
        options={
            **found.notes,
            "input_fps": given_fps,
            "range": [*asked.frames] if asked.frames else None,
            "lift_m": lift,
        },
    )
    clip = clip_of(motion, robot, info)
    return Imported(clip, quality_of(motion_of(clip), robot, motions.feet), found.warnings)


def _cut(path: Path, motion: Motion, frames: tuple[int, int] | None) -> Motion:
    if frames is None:
        return motion
    first, last = frames
    if not 1 <= first <= last <= motion.frames:
        raise FileError(path, f"--range {first}:{last}: must be FIRST:LAST within 1:{motion.frames}")
    taken = slice(first - 1, last)
    return Motion(motion.fps, motion.root_pos[taken], motion.root_quat[taken], motion.joint_pos[taken])


def _checked(path: Path, motion: Motion, robot: RobotCfg, first: int) -> Motion:
    """The motion with unit quaternions, if it can be one. `first`: number of its first frame in the file."""
    names = ["x", "y", "z", "qw", "qx", "qy", "qz", *robot.joints]

    def refuse(bad: NDArray[np.bool_], rule: str, values: Array) -> None:
        if bad.any():
            frame, column = map(int, np.argwhere(bad)[0])
            raise FileError(path, f"frame {first + frame}, {names[column]} = {values[frame, column]:.6g}: {rule}")

    qpos = motion.qpos
    refuse(~np.isfinite(qpos), "must be finite", qpos)
    if (motion.frames - 1) / motion.fps < SHORTEST_S:
        told = f"{motion.frames} frames at {motion.fps:g} a second are shorter than {SHORTEST_S:g} s"
        raise FileError(path, told)
    far, wide = np.zeros(qpos.shape, bool), np.zeros(qpos.shape, bool)
    far[:, 2], wide[:, 7:] = qpos[:, 2] > HIGHEST_M, np.abs(motion.joint_pos) > WIDEST_RAD
    refuse(far, f"above {HIGHEST_M:g} m; looks like centimetres, must be metres", qpos)
    refuse(wide, "beyond a whole turn; looks like degrees, must be radians", qpos)
    norm = np.linalg.norm(motion.root_quat, axis=1)
    if len(bad := np.flatnonzero(np.abs(norm - 1.0) > NORM_OFF)):
        told = f"frame {first + bad[0]}: the quaternion has the length {norm[bad[0]]:.4g}, must be 1"
        raise FileError(path, told)
    moves = np.linalg.norm(np.diff(motion.root_pos, axis=0), axis=1)
    if len(bad := np.flatnonzero(moves > JUMP_M)):
        told = f"frame {first + bad[0] + 1}: the root jumps by {moves[bad[0]]:.3g} m, allowed {JUMP_M:g} m a frame"
        raise FileError(path, told)
    return Motion(motion.fps, motion.root_pos, motion.root_quat / norm[:, None], motion.joint_pos)
