"""Unitree Go1, twelve joints. Pose, gains and limits of effort are those of the published GeneLab.

The rest stands in the model file, with its sources.
"""

from genelab.config.scene import ActuatorCfg, MirrorCfg, RobotCfg

LEGS = ("FR", "FL", "RR", "RL")
"""In the order of the model file. So are the sites of the feet called."""
JOINTS = [".*_joint"]
"""All of them, in the order of the model file."""
THIGHS = [".*_thigh"]


def robot() -> RobotCfg:
    """The robot. A foot is the end of its shank, so the shank's link feels for it."""
    return RobotCfg(
        model="genelab_unitree:models/go1.xml",
        model_sha256="6769d62a9473f8e02e63e767ec146acb7e42410e79f0e7c33e261184bf9c0cf7",
        pos=(0.0, 0.0, 0.42),
        default_pos={".*_thigh_joint": 0.9, ".*_calf_joint": -1.8},
        mirror=MirrorCfg(swap=(("FL", "FR"), ("RL", "RR")), flip=("_hip_joint",)),
        actuators={
            "hips_and_thighs": ActuatorCfg(
                joints=(".*_hip_joint", ".*_thigh_joint"), kp=25.0, kv=0.5, effort_limit=23.7
            ),
            "calves": ActuatorCfg(joints=(".*_calf_joint",), kp=25.0, kv=0.5, effort_limit=35.55),
        },
    )
