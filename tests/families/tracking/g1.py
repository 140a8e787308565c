"""The robot of these tests, and motions for it."""

import functools

import numpy as np

from genelab.families.tracking.kinematics import Motion
from genelab.families.tracking.making import made
from genelab.families.tracking.recipes import StandCfg, WaveCfg, motions_of
from genelab_unitree.robots.g1 import CAPSULES, robot

ROBOT = robot()
ON_BALLS = robot(left_out=CAPSULES)
"""Its soles are rectangles, so that margins can be worked out by hand."""
MOTIONS = motions_of(ROBOT)
FPS = 50.0


@functools.cache
def clip_motion(name: str) -> Motion:
    return made(MOTIONS.clips[name], ROBOT, MOTIONS.feet, FPS)


@functools.cache
def lively(seconds: float = 3.0) -> Motion:
    """On its feet, with a waist and shoulders that move."""
    waves = {"waist_yaw_joint": WaveCfg(size=0.3, hz=0.5), ".*_shoulder_.*_joint": WaveCfg(size=0.2, hz=0.7)}
    return made(StandCfg(seconds=seconds, joints=waves), ROBOT, MOTIONS.feet, FPS)


def standing(frames: int = 61) -> Motion:
    """In the default pose, facing along x, on the ground."""
    joints = np.array([ROBOT.default_of(joint) for joint in ROBOT.joints])
    pos = np.tile([0.0, 0.0, 0.7567], (frames, 1))
    return Motion(FPS, pos, np.tile([1.0, 0.0, 0.0, 0.0], (frames, 1)), np.tile(joints, (frames, 1)))
