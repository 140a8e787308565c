"""Unitree G1, 29 joints. Pose, effort limits and the published gains are those of the published GeneLab.

The rest stands in the model file, with its sources. A motor's gains follow from its reflected inertia J: a natural
frequency of 10 Hz and a damping ratio of 2. An action of 1 asks for a quarter of the effort limit.
"""

import functools
import math
from typing import Literal

from genelab.config.actions import JointTargetsCfg
from genelab.config.scene import ActuatorCfg, ActuatorLaw, MirrorCfg, RobotCfg

JOINTS = [".*_joint"]
"""All of them, in the order of the model file: left leg, right leg, waist, left arm, right arm."""
FEET = ("left_foot", "right_foot")
"""Sites under the ankles."""
FOOT_LINKS = ("left_ankle_roll_link", "right_ankle_roll_link")
NATURAL_FREQUENCY, DAMPING_RATIO = 2.0 * math.pi * 10.0, 2.0
"""Of a motor alone, rad/s and without unit."""
Gains = Literal["published", "correct"]
"""Which reflected inertias the gains are computed with, and which the joints have. The published ones count every stage
of a gearbox once too often: i0 (g0 g1 g2)^2 + i1 (g1 g2)^2 + i2 g2^2 in place of i0 (g1 g2)^2 + i1 g2^2 + i2. Their
speed limits are not those of the motors either."""
GROUPS = {
    "motors_5020": (".*_shoulder_.*_joint", ".*_elbow_joint", ".*_wrist_roll_joint"),
    "motors_7520_14": (".*_hip_pitch_joint", ".*_hip_yaw_joint", "waist_yaw_joint"),
    "motors_7520_22": (".*_hip_roll_joint", ".*_knee_joint"),
    "motors_4010": (".*_wrist_pitch_joint", ".*_wrist_yaw_joint"),
    "pairs_of_5020": ("waist_roll_joint", "waist_pitch_joint", ".*_ankle_pitch_joint", ".*_ankle_roll_joint"),
}
"""Joints by motor."""
EFFORT = {
    "motors_5020": 25.0,
    "motors_7520_14": 88.0,
    "motors_7520_22": 139.0,
    "motors_4010": 5.0,
    "pairs_of_5020": 50.0,
}
"""Largest torque, N m."""
MOTORS: dict[Gains, dict[str, tuple[float, float]]] = {
    "published": {
        "motors_5020": (0.00433582, 32.0),
        "motors_7520_14": (0.01257371, 25.0),
        "motors_7520_22": (0.03211875, 14.0),
        "motors_4010": (0.00425, 37.0),
        "pairs_of_5020": (0.00867165, 32.0),
    },
    "correct": {
        "motors_5020": (0.003609725, 37.0),
        "motors_7520_14": (0.010177520, 32.0),
        "motors_7520_22": (0.025101925, 20.0),
        "motors_4010": (0.00425, 22.0),
        "pairs_of_5020": (0.00721945, 37.0),
    },
}
"""Reflected inertia, kg m^2, and the speed at which no torque is left, rad/s."""
SWITCHED = ("_hip_roll_joint", "_hip_yaw_joint", "_ankle_roll_joint", "_shoulder_roll_joint", "_shoulder_yaw_joint")
MIRROR = MirrorCfg(
    swap=(("left", "right"),),
    flip=(*SWITCHED, "_wrist_roll_joint", "_wrist_yaw_joint", "waist_yaw_joint", "waist_roll_joint"),
)
CAPSULES, BALLS = r".*_foot\d_collision", r".*_ball\d_collision"
"""The two shapes of a foot, of which the model holds both: seven capsules as published, or four balls, which a contact
solver on a CPU gets through sooner."""


@functools.cache
def robot(gains: Gains = "published", law: ActuatorLaw = "explicit_pd", left_out: str = BALLS) -> RobotCfg:
    """The robot.

    Args:
        gains: which reflected inertias.
        law: of the motors. The published one computes torques in every physics step, within limits that fall with the
            speed; under another law there is no such limit.
        left_out: pattern of the geoms of the feet that are left out.
    """
    return RobotCfg(
        model="genelab_unitree:models/g1.xml",
        model_sha256="5ce6ff3c6d75210a5b24e188ecf4afff340f61721a453dc5b6012b3455ce4944",
        pos=(0.0, 0.0, 0.76),
        default_pos={
            ".*_hip_pitch_joint": -0.312,
            ".*_knee_joint": 0.669,
            ".*_ankle_pitch_joint": -0.363,
            ".*_elbow_joint": 0.6,
            ".*_shoulder_pitch_joint": 0.2,
            "left_shoulder_roll_joint": 0.2,
            "right_shoulder_roll_joint": -0.2,
        },
        mirror=MIRROR,
        left_out=(left_out,),
        actuators={name: _motor(name, gains, law) for name in GROUPS},
    )


def action(gains: Gains = "published") -> JointTargetsCfg:
    """Targets about the default pose, in quarters of the effort limits."""
    scale = {
        joint: 0.25 * EFFORT[name] / _motor(name, gains, "implicit_pd").kp
        for name, joints in GROUPS.items()
        for joint in joints
    }
    return JointTargetsCfg(scale=scale)


def _motor(name: str, gains: Gains, law: ActuatorLaw) -> ActuatorCfg:
    inertia, fastest = MOTORS[gains][name]
    return ActuatorCfg(
        law=law,
        joints=GROUPS[name],
        kp=inertia * NATURAL_FREQUENCY**2,
        kv=2.0 * DAMPING_RATIO * inertia * NATURAL_FREQUENCY,
        effort_limit=EFFORT[name],
        velocity_limit=fastest if law == "explicit_pd" else None,
        # The model file has the correct one.
        armature=inertia if gains == "published" else None,
    )
