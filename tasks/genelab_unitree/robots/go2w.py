"""Unitree Go2-W, a quadruped on wheels. Pose and gains are those of the published GeneLab.

Limits of effort are those of `unitree_robots/go2w` in unitreerobotics/unitree_mujoco (BSD-3-Clause). The rest stands in
the model file, with its sources.
"""

from genelab.config.scene import ActuatorCfg, MirrorCfg, RobotCfg, SiteCfg

LEGS = ("FL", "FR", "RL", "RR")
"""In the order of the model file."""
NUM_LEG_JOINTS, NUM_WHEELS = 3 * len(LEGS), len(LEGS)
LEG_JOINTS = ".*_(hip|thigh|calf)_joint"
WHEEL_JOINTS = ".*_wheel_joint"
JOINTS = [LEG_JOINTS, WHEEL_JOINTS]
"""All of them: those of the legs, then the wheels."""
WHEELS = [".*_wheel_link"]
EFFORT = {"hip": 23.7, "thigh": 23.7, "calf": 45.43}
"""N m."""


def robot(wheel_kv: float, wheel_effort_limit: float) -> RobotCfg:
    """The robot.

    Args:
        wheel_kv: velocity gain of the wheels, N m s/rad.
        wheel_effort_limit: of the wheels, N m.
    """
    legs = {
        part: ActuatorCfg(joints=(f".*_{part}_joint",), kp=25.0, kv=0.5, effort_limit=limit)
        for part, limit in EFFORT.items()
    }
    wheels = ActuatorCfg(law="velocity", joints=(WHEEL_JOINTS,), kp=0.0, kv=wheel_kv, effort_limit=wheel_effort_limit)
    return RobotCfg(
        model="genelab_unitree:models/go2w.xml",
        model_sha256="b92f5837afeab6a799644dc1221a297fa344c1e503672827b58e1e081cd5590e",
        pos=(0.0, 0.0, 0.45),
        default_pos={".*_thigh_joint": 0.9, ".*_calf_joint": -1.8},
        sites={f"{leg}_wheel": SiteCfg(link=f"{leg}_wheel_link") for leg in LEGS},
        mirror=MirrorCfg(swap=(("FL_", "FR_"), ("RL_", "RR_")), flip=("hip_joint",)),
        actuators={**legs, "wheels": wheels},
    )
