"""The task: its numbers, and which functions of genelab they go to."""

from genelab.config.actions import JointTargetsCfg
from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.env import EnvCfg
from genelab.config.scene import ActuatorCfg, RobotCfg, SimCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import ObservationGroupCfg, ObservationTermCfg, ResetEventCfg, RewardTermCfg, TerminationCfg


def build() -> TaskSpec:
    """The task. `register` names this function."""
    hinge = {"joints": ["hinge"]}
    terms = {
        "angle": ObservationTermCfg(func="genelab.mdp.observations:joint_pos_rel", params=hinge, noise=0.01),
        "speed": ObservationTermCfg(func="genelab.mdp.observations:joint_vel_rel", params=hinge, scale=0.2),
    }
    env = EnvCfg(
        decimation=4,  # physics steps of 5 ms in a control step, so 50 Hz
        episode_length_s=5.0,
        sim=SimCfg(collision=False),
        robot=RobotCfg(
            model="example_pole:pole.xml",
            model_sha256="6b6c9f4c6aa039f634ff983e9b249eaeb7042a6bdc99ec01881cdc86d2c963c9",
            actuators={"motor": ActuatorCfg(joints=("hinge",), kp=2.0, kv=0.2)},
        ),
        action=JointTargetsCfg(joints=("hinge",)),
        observations={
            "policy": ObservationGroupCfg(terms=terms, noise=True),
            "critic": ObservationGroupCfg(terms=terms, noise=False),
        },
        rewards={
            "alive": RewardTermCfg(func="genelab.mdp.rewards:alive", weight=1.0),
            "angle": RewardTermCfg(func="genelab.mdp.rewards:joint_square", weight=-1.0, params=hinge),
        },
        terminations={
            "fell": TerminationCfg(func="genelab.mdp.terminations:joint_abs_above", params={**hinge, "limit": 0.6})
        },
        reset_events={
            "start": ResetEventCfg(
                func="genelab.mdp.events:uniform_joint_state",
                params={"position_range": [-0.2, 0.2], "velocity_range": [-0.1, 0.1]},
            )
        },
    )
    network = NetworkCfg(hidden_dims=(32, 32))
    return TaskSpec(
        id="Example-Pole-v0",
        task_version=1,
        package="example_pole",
        return_ceiling=5.0,
        env=env,
        agent=PpoCfg(actor=network, critic=network, save_interval=10),
        train=TrainCfg(num_envs=64, iterations=30),
    )
