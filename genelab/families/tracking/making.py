"""Makes clips from numbers: feet that stand flat and still, and a body that moves so that they carry it.

The zero-moment point (ZMP) is planned in the feet. A point mass at height h with its ZMP at p moves by c - h/g c'' = p,
the cart-table model of Kajita and others (ICRA 2003), which is solved for all frames at once. The robot is no point
mass: legs that swing have an angular momentum. So the ZMP of inverse dynamics is compared with the plan, and the pelvis
moved by what the same equation makes of the difference, until the ZMP is where it was planned.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded

from genelab.config.names import values_by_name
from genelab.config.scene import RobotCfg
from genelab.errors import InputError
from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.clip import Clip, ClipInfo
from genelab.families.tracking.dynamics import Dynamics, Stance, stance_of
from genelab.families.tracking.kinematics import Motion, clip_of, model_of
from genelab.families.tracking.legs import Leg
from genelab.families.tracking.quaternions import Array
from genelab.families.tracking.recipes import FeetCfg, Motions, StandCfg, WalkCfg, WaveCfg

LICENCE = "Apache-2.0"
"""Of what is made."""
REST_S = 1.0
"""Rest at both ends, s."""
FADE_S = 1.0
"""In which waves grow and fade, s."""
GRAVITY = 9.81
"""m/s^2, as in the model."""
PASSES = 60
"""Corrections of the pelvis at most."""
GAIN = 0.7
"""Share of the difference that a correction takes."""
CLOSE_M = 0.002
"""Difference between planned and true ZMP at which corrections end, m."""
REACH_M = 1e-5
"""Largest error of inverse kinematics, m and rad."""

Planar = NDArray[np.complex128]
"""Places on the ground: x + iy, m."""


@dataclass(frozen=True)
class Plan:
    """Where everything but the horizontal place of the pelvis shall be in every frame."""

    fps: float
    """Frames per second."""
    feet_pos: Array
    """Origins of the feet's links, m. Shape: (frames, 2, 3)."""
    feet_yaw: Array
    """Their headings, rad. Shape: (frames, 2)."""
    zmp: Array
    """Zero-moment point, m. Shape: (frames, 2)."""
    height: Array
    """Of the pelvis, m. Shape: (frames,)."""
    yaw: Array
    """Heading of the pelvis, rad. Shape: (frames,)."""
    joint_pos: Array
    """rad; what it says of the legs is only where the search for them begins. Shape: (frames, joints)."""


def make_clip(name: str, robot: RobotCfg, motions: Motions, fps: float) -> Clip:
    """Make one of the clips of a robot.

    Args:
        name: which of them.
        robot: the robot.
        motions: its feet and clips.
        fps: frames per second, as many as control steps.

    Raises:
        InputError: if there is no such clip, or the robot cannot do what it asks for.
    """
    if name not in motions.clips:
        raise InputError(f"clip '{name}': is none of those that can be made: {', '.join(motions.clips) or 'none'}")
    recipe = motions.clips[name]
    motion = made(recipe, robot, motions.feet, fps)
    info = ClipInfo.of(
        robot,
        name=name,
        fps=fps,
        source="genelab motion make",
        licence=LICENCE,
        input_sha256=None,
        options={"made": type(recipe).__name__, **recipe.model_dump(mode="json")},
    )
    return clip_of(motion, robot, info)


def commands_of(clip: Clip) -> Array:
    """Velocity that a clip was made for in every frame, 0 where it rests and in one that was not made as a walk.

    Forward and to the left, m/s, and turn to the left, rad/s, in the frame of the base. Shape: (frames, 3).
    """
    told = clip.info.options
    commands = np.zeros((clip.frames, 3))
    if told.get("made") == WalkCfg.__name__:
        recipe = WalkCfg.model_validate({name: value for name, value in told.items() if name != "made"})
        rest, steps, shift = _beat(recipe, clip.info.fps)
        # The first leans over to one foot, and the last only brings the feet together.
        commands[rest : rest + (steps - 1) * shift] = recipe.forward, recipe.left, recipe.turn
    return commands


def made(recipe: StandCfg | WalkCfg, robot: RobotCfg, feet: FeetCfg, fps: float) -> Motion:
    """The motion of a recipe.

    Args:
        recipe: what to do.
        robot: the robot.
        feet: its feet.
        fps: frames per second.

    Raises:
        InputError: if a foot is out of reach, or the zero-moment point stays away from where it was planned.
    """
    return balanced(plan_of(recipe, robot, feet, fps), robot, feet)


def plan_of(recipe: StandCfg | WalkCfg, robot: RobotCfg, feet: FeetCfg, fps: float) -> Plan:
    """What a recipe asks for, frame by frame."""
    stance = stance_of(robot, feet)
    if isinstance(recipe, WalkCfg):
        return _walk(recipe, robot, feet, stance, fps)
    return _stand(recipe, robot, feet, stance, fps)


def balanced(plan: Plan, robot: RobotCfg, feet: FeetCfg) -> Motion:
    """The motion of a plan whose true zero-moment point is the planned one.

    Raises:
        InputError: as `made`.
    """
    model, stance = model_of(robot), stance_of(robot, feet)
    legs = [Leg(model, link) for link in feet.links]
    away = quat.rotate(quat.yaw(plan.yaw), np.append(stance.pelvis - stance.com[:2], 0.0)[None])[:, :2]
    place, joints = away + _point_mass(plan.zmp, stance.com[2], plan.fps), plan.joint_pos
    off = np.full(1, np.inf)
    for _ in range(PASSES):
        joints = _with_legs(plan, legs, place, joints)
        motion = Motion(plan.fps, np.column_stack([place, plan.height]), quat.yaw(plan.yaw), joints)
        off = Dynamics(robot, feet, motion).zmp - plan.zmp
        if np.abs(off).max() < CLOSE_M:
            return motion
        place = place - GAIN * _point_mass(off, stance.com[2], plan.fps)
    raise InputError(f"the zero-moment point stays {1000.0 * np.abs(off).max():.0f} mm from where it was planned")


def _with_legs(plan: Plan, legs: list[Leg], place: Array, start: Array) -> Array:
    found = start.copy()
    for foot, leg in enumerate(legs):
        root = np.column_stack([place, plan.height]), quat.yaw(plan.yaw)
        target = plan.feet_pos[:, foot], quat.yaw(plan.feet_yaw[:, foot])
        found[:, leg.columns], error = leg.solve(root, target, start[:, leg.columns])
        if error > REACH_M:
            raise InputError(f"the {('left', 'right')[foot]} foot is out of reach by {1000.0 * error:.1f} mm")
    return found


def _point_mass(zmp: Array, height: float, fps: float) -> Array:
    """Way of a point mass at a height, m, for a zero-moment point; at rest at both ends. Shapes: (frames, 2)."""
    stiff = height / GRAVITY * fps**2
    bands = np.zeros((3, len(zmp)))
    bands[0, 1:], bands[1], bands[2, :-1] = -stiff, 1.0 + 2.0 * stiff, -stiff
    bands[1, [0, -1]] -= stiff
    return solve_banded((1, 1), bands, zmp)


def _smooth(share: Any) -> Any:
    """From 0 to 1 without a jump in the acceleration (the fifth-degree polynomial)."""
    share = np.clip(share, 0.0, 1.0)
    return share**3 * (10.0 - 15.0 * share + 6.0 * share**2)


def _wave(cfg: WaveCfg, seconds: float, fps: float) -> Array:
    """A wave with its rests, faded in and out. Shape: (frames,)."""
    time = np.arange(round(seconds * fps) + 1) / fps - REST_S
    length = seconds - 2.0 * REST_S
    turns = 2.0 * np.pi * cfg.hz * time
    shape = {"sine": np.sin(turns), "dip": (1.0 - np.cos(turns)) / 2.0, "hold": np.ones_like(time)}[cfg.shape]
    return cfg.size * shape * _smooth(time / FADE_S) * _smooth((length - time) / FADE_S)


def _stand(recipe: StandCfg, robot: RobotCfg, feet: FeetCfg, stance: Stance, fps: float) -> Plan:
    def wave(cfg: WaveCfg | None) -> Array:
        return _wave(cfg or WaveCfg(size=0.0), recipe.seconds, fps)

    count = len(wave(None))
    pos = np.tile(np.array([[0.0, stance.spread, feet.sole], [0.0, -stance.spread, feet.sole]]), (count, 1, 1))
    joints = np.tile(stance.joint_pos, (count, 1))
    for name, cfg in values_by_name(recipe.joints, robot.joints, "joint").items():
        joints[:, robot.joints.index(name)] += wave(cfg)
    zmp = np.column_stack([np.full(count, feet.middle), wave(recipe.aside)])
    still = np.zeros(count)
    return Plan(fps, pos, np.zeros((count, 2)), zmp, stance.height - wave(recipe.lower), still, joints)


def _walk(recipe: WalkCfg, robot: RobotCfg, feet: FeetCfg, stance: Stance, fps: float) -> Plan:
    """Steps of whole frames: a foot swings while the weight rests on the other, then the weight moves over."""
    rest, steps, shift = _beat(recipe, fps)
    swing = _swing(recipe, fps)
    both = shift - swing
    # A robot that goes or turns to the right begins with the right foot, so that the feet do not cross.
    first = int(recipe.left < 0.0 or (recipe.left == 0.0 and recipe.turn < 0.0))
    side, middle = np.array([stance.spread * 1j, -stance.spread * 1j]), complex(feet.middle)
    tracks = _Tracks(side, middle)
    tracks.lean(rest, middle)
    tracks.lean(shift, side[1 - first] + middle)
    for number in range(steps):
        foot = (first + number) % 2
        # The last step brings the feet together.
        time = min(number + 1, steps - 1) * shift / fps
        ahead = np.exp(1j * recipe.turn * time)
        path = time if recipe.turn == 0.0 else (ahead - 1.0) / (1j * recipe.turn)
        way = complex(recipe.forward, recipe.left) * path
        tracks.swing(swing, foot, way + side[foot] * ahead, recipe.turn * time, recipe.lift)
        if number < steps - 1:
            tracks.lean(both, way + (side[foot] + middle) * ahead)
        else:
            tracks.lean(shift, way + middle * ahead)
            tracks.lean(rest, way + middle * ahead)
    place, yaw, lift, zmp = tracks.arrays()
    count, heading = len(place), yaw.mean(1)
    joints = np.tile(stance.joint_pos, (count, 1))
    if recipe.forward != 0.0:
        apart = (place[:, 1] - place[:, 0]) * np.exp(-1j * heading) / (recipe.forward * shift / fps)
        for name, size in values_by_name(recipe.arms, robot.joints, "joint").items():
            joints[:, robot.joints.index(name)] += size * apart.real
    feet_pos = np.stack([place.real, place.imag, feet.sole + lift], 2)
    time = np.arange(count) / fps
    down = recipe.lower * _smooth(time / REST_S) * _smooth((time[-1] - time) / REST_S)
    return Plan(fps, feet_pos, yaw, np.column_stack([zmp.real, zmp.imag]), stance.height - down, heading, joints)


def _beat(recipe: WalkCfg, fps: float) -> tuple[int, int, int]:
    """Frames of the rest, steps, and frames of a step."""
    step_s = recipe.stride / 2.0
    shift = _swing(recipe, fps) + max(round(recipe.double * step_s * fps), 1)
    return round(REST_S * fps), max(round(recipe.seconds / step_s), 2), shift


def _swing(recipe: WalkCfg, fps: float) -> int:
    """Frames in which a foot is in the air."""
    return max(round((1.0 - recipe.double) * recipe.stride / 2.0 * fps), 1)


class _Tracks:
    """Places, headings and lifts of both feet, and the zero-moment point, added piece by piece."""

    def __init__(self, place: Planar, zmp: complex) -> None:
        self._rows: list[tuple[Planar, Array, Array, complex]] = [(place, np.zeros(2), np.zeros(2), zmp)]

    def lean(self, frames: int, zmp: complex) -> None:
        """Both feet stand, and the weight moves."""
        place, yaw, _, begin = self._rows[-1]
        for share in (np.arange(frames) + 1.0) / frames:
            self._rows.append((place, yaw, np.zeros(2), begin + share * (zmp - begin)))

    def swing(self, frames: int, foot: int, place: complex, yaw: float, lift: float) -> None:
        """A foot moves, and the weight rests on the other."""
        begin, turned, _, zmp = self._rows[-1]
        moving = np.arange(2) == foot
        for share in (np.arange(frames) + 1.0) / frames:
            part = moving * _smooth(share)
            # Rises and lands without a jump in the acceleration, too.
            up = moving * 64.0 * lift * share**3 * (1.0 - share) ** 3
            self._rows.append((begin + part * (place - begin), turned + part * (yaw - turned), up, zmp))

    def arrays(self) -> tuple[Planar, Array, Array, Planar]:
        """Shapes: (frames, 2) each, and (frames,)."""
        place, yaw, lift, zmp = zip(*self._rows, strict=True)
        return np.array(place), np.array(yaw), np.array(lift), np.array(zmp)
