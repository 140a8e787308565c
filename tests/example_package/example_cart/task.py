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
    slider = {"joints": ["slider"]}
    robot = RobotCfg(
        model="example_cart:cart.xml",
        model_sha256="fc85673762f3802276aa7c8b7eba718a75711484488a7586211f772361e2e72d",
        actuators={"cart": ActuatorCfg(joints=("slider",), kp=20.0, kv=4.0)},
    )
    terms = {
        "position": ObservationTermCfg(func="genelab.mdp.observations:joint_pos_rel", params=slider, noise=0.01),
        "velocity": ObservationTermCfg(func="genelab.mdp.observations:joint_vel_rel", params=slider),
    }
    env = EnvCfg(
        decimation=4,
        episode_length_s=5.0,
        sim=SimCfg(collision=False),
        robot=robot,
        action=JointTargetsCfg(joints=("slider",), scale=0.5),
        observations={
            "policy": ObservationGroupCfg(terms=terms, noise=True),
            "critic": ObservationGroupCfg(terms=terms, noise=False),
        },
        rewards={
            "alive": RewardTermCfg(func="genelab.mdp.rewards:alive", weight=1.0),
            "position": RewardTermCfg(func="genelab.mdp.rewards:joint_square", weight=-1.0, params=slider),
        },
        terminations={
            "off_the_rail": TerminationCfg(
                func="genelab.mdp.terminations:joint_abs_above", params={**slider, "limit": 1.8}
            )
        },
        reset_events={
            "start": ResetEventCfg(
                func="genelab.mdp.events:uniform_joint_state",
                params={"position_range": [-1.0, 1.0], "velocity_range": [-0.1, 0.1]},
            )
        },
    )
    network = NetworkCfg(hidden_dims=(32, 32))
    return TaskSpec(
        id="Example-Cart-v0",
        task_version=1,
        package="example_cart",
        return_ceiling=5.0,
        env=env,
        agent=PpoCfg(actor=network, critic=network, save_interval=10),
        train=TrainCfg(num_envs=256, iterations=20),
    )
