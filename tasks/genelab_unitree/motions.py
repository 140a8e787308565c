"""Clips of the Unitree G1 that can be made."""

from genelab.config.scene import RobotCfg
from genelab.errors import InputError
from genelab.families.tracking.recipes import FeetCfg, Motions, StandCfg, WalkCfg, WaveCfg
from genelab_unitree.robots.g1 import FOOT_LINKS


def _go(forward: float = 0.0, left: float = 0.0, turn: float = 0.0, stride: float = 0.8) -> WalkCfg:
    """A walk that is made for one velocity: m/s, m/s and rad/s."""
    return WalkCfg(
        seconds=8.0, forward=forward, left=left, turn=turn, stride=stride, double=0.25, lift=0.06, lower=0.03
    )


G1 = Motions(
    feet=FeetCfg(links=FOOT_LINKS, sole=0.035, middle=0.03),
    optional=(".*_wrist_.*_joint",),
    clips={
        "squat": StandCfg(
            seconds=10.0,
            lower=WaveCfg(size=0.18, hz=0.25, shape="dip"),
            joints={
                "waist_pitch_joint": WaveCfg(size=0.25, hz=0.25, shape="dip"),
                ".*_shoulder_pitch_joint": WaveCfg(size=-1.2, hz=0.25, shape="dip"),
            },
        ),
        "sway": StandCfg(
            seconds=10.0,
            aside=WaveCfg(size=0.03, hz=0.25),
            joints={"waist_yaw_joint": WaveCfg(size=0.15, hz=0.25)},
        ),
        "wave": StandCfg(
            seconds=8.0,
            joints={
                "right_shoulder_roll_joint": WaveCfg(size=-1.3, shape="hold"),
                "right_shoulder_yaw_joint": WaveCfg(size=-1.3, shape="hold"),
                "right_elbow_joint": WaveCfg(size=0.35, hz=0.83),
            },
        ),
        "step_in_place": WalkCfg(seconds=8.1, stride=0.9, double=0.2, lift=0.06, lower=0.03),
        "side_step": WalkCfg(seconds=9.0, left=0.15, stride=1.0, double=0.25, lift=0.05, lower=0.03),
        "slow_walk": WalkCfg(seconds=9.0, forward=0.3, stride=1.0, double=0.25, lift=0.05, lower=0.03),
        "turn": WalkCfg(seconds=9.0, turn=0.4, stride=1.0, double=0.25, lift=0.05, lower=0.03),
        "walk": WalkCfg(
            seconds=9.6,
            forward=0.55,
            stride=0.64,
            double=0.2,
            lift=0.05,
            lower=0.03,
            arms={"left_shoulder_pitch_joint": -0.25, "right_shoulder_pitch_joint": 0.25},
        ),
        "stand": StandCfg(seconds=4.0),
        "go_forward": _go(forward=0.5),
        "go_forward_slowly": _go(forward=0.25),
        "go_backward": _go(forward=-0.4),
        "go_left": _go(left=0.3),
        "go_right": _go(left=-0.3),
        "turn_left": _go(turn=0.5),
        "turn_right": _go(turn=-0.5),
        "curve_left": _go(forward=0.4, turn=0.4),
        "curve_right": _go(forward=0.4, turn=-0.4),
    },
)


def motions(robot: RobotCfg) -> Motions:
    """Feet and clips of a robot of this package.

    Raises:
        InputError: if there are none for it.
    """
    if robot.model != "genelab_unitree:models/g1.xml":
        raise InputError(f"model = '{robot.model}': no clips are known for it; they are for the G1")
    return G1
