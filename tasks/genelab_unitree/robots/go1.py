"""Unitree Go1, twelve joints. Pose, gains and limits of effort are those of the published GeneLab.

The rest stands in the model file, with its sources.
"""

from genelab.config.scene import ActuatorCfg, MirrorCfg, RobotCfg

LEGS = ("FR", "FL", "RR", "RL")
"""In the order of the model file. So are the sites of the feet called."""
JOINTS = [f"{leg}_{part}_joint" for leg in LEGS for part in ("hip", "thigh", "calf")]
THIGHS = [f"{leg}_thigh" for leg in LEGS]


def robot() -> RobotCfg:
    """The robot. A foot is the end of its shank, so the shank's link feels for it."""
    calves = tuple(name for name in JOINTS if "calf" in name)
    others = tuple(name for name in JOINTS if "calf" not in name)
    return RobotCfg(
        model="genelab_unitree:models/go1.xml",
        model_sha256="6769d62a9473f8e02e63e767ec146acb7e42410e79f0e7c33e261184bf9c0cf7",
        pos=(0.0, 0.0, 0.42),
        default_pos={f"{leg}_{part}_joint": pos for leg in LEGS for part, pos in (("thigh", 0.9), ("calf", -1.8))},
        mirror=MirrorCfg(swap=(("FL", "FR"), ("RL", "RR")), flip=("_hip_joint",)),
        actuators={
            "hips_and_thighs": ActuatorCfg(joints=others, kp=25.0, kv=0.5, effort_limit=23.7),
            "calves": ActuatorCfg(joints=calves, kp=25.0, kv=0.5, effort_limit=35.55),
        },
    )
