"""What a motion is worth to a robot: limits, speeds, feet, balance; and where it is not fit to be learnt."""

from dataclasses import dataclass

import numpy as np

from genelab.config.scene import RobotCfg
from genelab.families.tracking.dynamics import Dynamics, stance_of
from genelab.families.tracking.kinematics import Motion, velocities
from genelab.families.tracking.recipes import FeetCfg

LIMIT_RAD = 0.01
"""A joint may exceed its range by so much, as rounding and resampling of a clip on the limit do."""
SOLE_M = 0.03
"""The lower sole may be so far from the ground in the middle of all frames."""
SLIP_MPS = 0.15
"""Median speed that the lowest point of the soles may have along the ground: more than that is skating."""
NEAR_GROUND_M = 0.02
"""Where that point is higher above the middle, the robot jumps and does not slip."""


@dataclass(frozen=True)
class Quality:
    """Measures of a motion."""

    seconds: float
    """From the first frame to the last."""
    frames: int
    """Number of frames."""
    way_m: float
    """Distance of the root between first and last frame, on the ground."""
    limit_excess: tuple[float, str, int]
    """How far a joint is outside its range at most, rad, which joint, and in how many frames any is."""
    speed: tuple[float, float | None, str]
    """Speed of the joint that comes nearest to its motor's limit, rad/s, the limit, or null for none, and its name."""
    sole_m: tuple[float, float, float]
    """Height of the lower sole: percentiles 1, 50 and 99."""
    slip_mps: tuple[float, float]
    """Speed of the lowest point of the soles along the ground, where it is near: median, and percentile 95."""
    start_rad: tuple[float, str]
    """How far a joint of the first frame is from the default pose at most, and which."""
    start_m: float
    """How much higher the root is in the first frame than when it stands in the default pose."""
    margin_m: tuple[float, float]
    """Zero-moment point within the feet on the ground: smallest margin, negative outside, and percentile 5."""
    outside: float
    """Share of the frames in which it is outside."""
    airborne: float
    """Share of the frames in which no foot rests on the ground."""
    friction: float
    """Largest horizontal over vertical force of the ground where a foot rests; 0 where none ever does."""
    effort: tuple[float, str]
    """Largest torque over the motor's limit, by inverse dynamics, and of which joint."""

    def lines(self) -> list[str]:
        """One on each."""
        speed, fastest, joint = self.speed
        of = "no limit given" if fastest is None else f"motor {fastest:.1f}"
        excess, name, count = self.limit_excess
        low, middle, high = (1e3 * height for height in self.sole_m)
        away, where = self.start_rad
        slow, quick = self.slip_mps
        least, few = (1e3 * margin for margin in self.margin_m)
        return [
            f"length    {self.seconds:.2f} s, {self.frames} frames, {self.way_m:.2f} m on the ground",
            f"ranges    {f'{name} outside by {excess:.3f} rad, {count} frames' if count else 'kept'}",
            f"speeds    {speed:.1f} rad/s ({of}), {joint}",
            f"soles     the lower one {low:.1f}, {middle:.1f}, {high:.1f} mm high (1, 50, 99 % of the frames)",
            f"slip      the lowest point at {slow:.3f}, {quick:.3f} m/s (50, 95 % of the frames)",
            f"start     {away:.3f} rad ({where}) and {1e3 * self.start_m:.1f} mm from standing",
            f"balance   zero-moment point {least:.0f} mm within the feet at least, 5 % below {few:.0f} mm; "
            f"outside in {self.outside:.1%}, no foot at rest in {self.airborne:.1%}",
            f"friction  {self.friction:.2f} needed",
            f"torques   {self.effort[0]:.2f} of the motor's limit, {self.effort[1]}",
        ]

    def problems(self) -> list[str]:
        """What makes the motion unfit: ranges, speeds, height and slip of the feet."""
        found = list[str]()
        excess, name, _ = self.limit_excess
        if excess > LIMIT_RAD:
            found.append(f"joint '{name}' is {excess:.3f} rad outside its range, allowed {LIMIT_RAD}")
        speed, fastest, joint = self.speed
        if fastest is not None and speed > fastest:
            found.append(f"joint '{joint}' turns at {speed:.1f} rad/s, its motor at {fastest:.1f} at most")
        if abs(self.sole_m[1]) > SOLE_M:
            rule = f"allowed {1e3 * SOLE_M:g} (--ground puts it to 0)"
            found.append(f"the lower sole is {1e3 * self.sole_m[1]:.0f} mm high in the middle of all frames, {rule}")
        if self.slip_mps[0] > SLIP_MPS:
            found.append(f"the soles slip at {self.slip_mps[0]:.2f} m/s in half of the frames, allowed {SLIP_MPS}")
        return found


def quality_of(motion: Motion, robot: RobotCfg, feet: FeetCfg) -> Quality:
    """Measure a motion, at its own rate.

    Args:
        motion: the motion.
        robot: the robot, whose ranges and motors count.
        feet: its feet.
    """
    dynamics, joints = Dynamics(robot, feet, motion), robot.joints
    ranges = np.array([robot.range_of(joint) or (-np.inf, np.inf) for joint in joints])
    excess = np.maximum(np.maximum(ranges[:, 0] - motion.joint_pos, motion.joint_pos - ranges[:, 1]), 0.0)
    worst = int(excess.max(0).argmax())
    speeds = np.abs(velocities(motion.joint_pos, motion.fps)).max(0)
    motors = [robot.actuator_of(joint) for joint in joints]
    fastest = np.array([motor.velocity_limit or np.inf for motor in motors])
    # Where no motor has a limit, the fastest.
    quick = int((speeds / fastest if np.isfinite(fastest).any() else speeds).argmax())
    low = dynamics.sole_heights.min(1)
    slip = dynamics.sliding[low < np.median(low) + NEAR_GROUND_M]
    away = np.abs(motion.joint_pos[0] - [robot.default_of(joint) for joint in joints])
    resting = np.isfinite(dynamics.margin)
    margin, force = dynamics.margin[resting], dynamics.ground[0][resting]
    limits = np.array([motor.max_effort for motor in motors])
    effort = (np.abs(dynamics.torques()) / limits).max(0)
    return Quality(
        seconds=(motion.frames - 1) / motion.fps,
        frames=motion.frames,
        way_m=float(np.linalg.norm(motion.root_pos[-1, :2] - motion.root_pos[0, :2])),
        limit_excess=(float(excess.max()), joints[worst], int((excess > 0.0).any(1).sum())),
        speed=(float(speeds[quick]), motors[quick].velocity_limit, joints[quick]),
        sole_m=_percentiles(low, 1, 50, 99),
        slip_mps=(float(np.median(slip)), float(np.percentile(slip, 95))),
        start_rad=(float(away.max()), joints[int(away.argmax())]),
        start_m=float(motion.root_pos[0, 2]) - stance_of(robot, feet).height,
        margin_m=(float(margin.min()), float(np.percentile(margin, 5))) if len(margin) else (-np.inf, -np.inf),
        outside=float((margin < 0.0).sum()) / motion.frames,
        airborne=1.0 - len(margin) / motion.frames,
        friction=float((np.linalg.norm(force[:, :2], axis=1) / force[:, 2]).max(initial=0.0)),
        effort=(float(effort.max()), joints[int(effort.argmax())]),
    )


def _percentiles(values: np.typing.NDArray[np.float64], *shares: int) -> tuple[float, float, float]:
    first, second, third = np.percentile(values, shares)
    return float(first), float(second), float(third)
