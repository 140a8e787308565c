"""Pick and place: a Franka Panda takes a 4 cm cube from the ground to a goal on the ground or in the air.

The numbers are those of the published GeneLab task. docs/reference/franka.md lists the defects that are mended here.
The robot is the one that Genesis ships, by the names and inertias of its own file.
"""

from typing import Any

from genelab.config.actions import DifferentialIkCfg, GripperCfg
from genelab.config.agent import HerCfg, NetworkCfg, SacCfg, TqcCfg
from genelab.config.base import Choice
from genelab.config.env import EnvCfg
from genelab.config.scene import ActuatorCfg, BoxCfg, GroundCfg, RobotCfg, SimCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import (
    CommandCfg,
    GoalCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    ResetEventCfg,
    RewardTermCfg,
    TerminationCfg,
)

ARM = tuple(f"joint{k}" for k in range(1, 8))
FINGERS = ("finger_joint1", "finger_joint2")
RESET_POSE = (0.0, 0.41, 0.0, -1.85, 0.0, 2.26, 0.79)
"""rad. panda-gym's neutral pose: the hand at (0.64, 0, 0.30) m, pointing straight down."""
FINGER_RANGE = (0.0, 0.04)
CUBE_EDGE = 0.04
CUBE_REST = CUBE_EDGE / 2
"""Height of the centre of a cube on the ground, m."""
CENTER = (0.5, 0.0)
"""Centre of the square in which cube and goal are drawn, m."""
HALF_WIDTH = 0.15
"""Half its side, m."""


def v0() -> TaskSpec:
    """The task."""
    return TaskSpec(
        id="GeneLab-Franka-Pick-And-Place-v0",
        task_version=1,
        package="genelab_franka",
        # 100 steps at the goal, lifted by 0.1 m or more.
        return_ceiling=20.0,
        published_as="GeneLab-Franka-Pick-And-Place-v0",
        env=_env(),
        agent=_agent(),
        demonstrator="genelab_franka.scripted:Controller",
        train=TrainCfg(num_envs=64, iterations=625),
    )


def _robot() -> RobotCfg:
    return RobotCfg(
        model="genesis:assets/xml/franka_emika_panda/panda.xml",
        model_sha256="e502e07fcef6219024be02dfb9cd65d5c194b4767adf381ca51f10172ff8a32d",
        gravity_compensation=1.0,
        default_pos={**dict(zip(ARM, RESET_POSE, strict=True)), **dict.fromkeys(FINGERS, FINGER_RANGE[1])},
        actuators={
            "arm": ActuatorCfg(joints=ARM, kp=2000.0, kv=200.0, effort_limit=87.0),
            "fingers": ActuatorCfg(joints=FINGERS, kp=1e4, kv=200.0, effort_limit=100.0),
        },
    )


def _env() -> EnvCfg:
    return EnvCfg(
        decimation=5,
        episode_length_s=5.0,
        sim=SimCfg(dt=0.01, substeps=2),
        robot=_robot(),
        ground=GroundCfg(),
        # 600 kg/m^3, the default density of Genesis.
        objects={
            "cube": BoxCfg(size=(CUBE_EDGE, CUBE_EDGE, CUBE_EDGE), mass=600.0 * CUBE_EDGE**3, pos=(*CENTER, CUBE_REST))
        },
        action=DifferentialIkCfg(
            link="hand",
            joints=ARM,
            scale=0.05,
            damping=0.05,
            orientation_gain=1.0,
            max_joint_step=0.2,
            gripper=GripperCfg(joints=FINGERS, scale=0.1, range=FINGER_RANGE),
        ),
        observations=_observations(),
        commands={
            "goal_position": CommandCfg(
                func="genelab.mdp.commands:box_or_ground",
                params={
                    "center": list(CENTER),
                    "half_width": HALF_WIDTH,
                    "ground": CUBE_REST,
                    "air": [CUBE_REST, 0.2],
                    "air_share": 0.7,
                },
            )
        },
        goal=GoalCfg(
            achieved="genelab.mdp.observations:object_pos",
            params={"object": "cube"},
            command="goal_position",
            tolerance=0.05,
        ),
        rewards={
            "not_reached": RewardTermCfg(func="genelab.mdp.goals:not_reached", weight=-1.0, bounds=(0.0, 1.0)),
            "lifted": RewardTermCfg(
                func="genelab.mdp.goals:lifted",
                weight=0.2,
                params={"low": CUBE_REST, "height": 0.1},
                bounds=(0.0, 1.0),
            ),
        },
        reward_per="step",
        terminations={
            "cube_fell": TerminationCfg(
                func="genelab.mdp.terminations:object_below", params={"object": "cube", "height": -0.1}
            )
        },
        reset_events={
            "robot": ResetEventCfg(
                func="genelab.mdp.events:uniform_joint_state",
                params={"position_range": [0.0, 0.0], "velocity_range": [0.0, 0.0]},
            ),
            "cube": ResetEventCfg(
                func="genelab.mdp.events:uniform_object_position",
                params={
                    "object": "cube",
                    "center": [*CENTER, CUBE_REST],
                    "half_width": [HALF_WIDTH, HALF_WIDTH, 0.0],
                },
            ),
        },
    )


def _observations() -> dict[str, ObservationGroupCfg]:
    joints = [*ARM, *FINGERS]
    own = {
        "joint_pos": ObservationTermCfg(
            func="genelab.mdp.observations:joint_pos_rel", params={"joints": joints}, noise=0.005
        ),
        "joint_vel": ObservationTermCfg(
            func="genelab.mdp.observations:joint_vel_rel", params={"joints": joints}, noise=0.05, scale=0.1
        ),
        "hand_position": ObservationTermCfg(
            func="genelab.mdp.observations:link_pos", params={"link": "hand"}, noise=0.002
        ),
        "cube_position": ObservationTermCfg(
            func="genelab.mdp.observations:object_pos", params={"object": "cube"}, noise=0.002
        ),
        "goal_position": ObservationTermCfg(func="genelab.mdp.goals:desired"),
        "goal_minus_cube": ObservationTermCfg(func="genelab.mdp.goals:error"),
        "last_action": ObservationTermCfg(func="genelab.mdp.observations:last_action"),
        "time_left": ObservationTermCfg(func="genelab.mdp.observations:time_left"),
    }
    return {
        "observation": ObservationGroupCfg(terms=own, noise=True),
        "achieved_goal": ObservationGroupCfg(
            terms={"cube_position": ObservationTermCfg(func="genelab.mdp.goals:achieved")}, noise=False
        ),
        "desired_goal": ObservationGroupCfg(
            terms={"goal_position": ObservationTermCfg(func="genelab.mdp.goals:desired")}, noise=False
        ),
    }


def cpu() -> TaskSpec:
    """The task with a learner and a budget for two CPU cores: 384,000 environment steps instead of 2,000,000.

    Smaller networks and batches, twice the updates per step, smaller steps and half the entropy. With the published
    entropy weight it learns more slowly.
    """
    network = NetworkCfg(hidden_dims=(256, 256), activation="relu")
    smaller: dict[str, Any] = {
        "actor": network,
        "critic": network,
        "gradient_steps": 16,
        "batch_size": 512,
        # Demonstrations and all of the training.
        "buffer_size": 600_000,
        "learning_rate": 5e-4,
        "tau": 0.02,
        "ent_coef": 0.05,
        "save_interval": 10,
    }
    agent = SacCfg.model_validate({**dict(_agent()), **smaller})
    return v0().model_copy(update={"variant": "cpu", "agent": agent, "train": TrainCfg(num_envs=64, iterations=120)})


def tqc() -> TaskSpec:
    """The variant `cpu` with truncated quantile critics, on the same budget and with the same numbers."""
    base = cpu()
    agent = TqcCfg.model_validate({**dict(base.agent), "algorithm": "tqc"})
    return base.model_copy(update={"variant": "tqc", "agent": agent})


def _agent() -> SacCfg:
    network = NetworkCfg(hidden_dims=(512, 512, 512), activation="relu")
    return SacCfg(
        actor=network,
        critic=network,
        num_steps_per_env=50,
        gradient_steps=8,
        batch_size=2048,
        buffer_size=1_000_000,
        # Published as 4000, raised to one more step than an episode of every environment has.
        learning_starts=6464,
        learning_rate=1e-3,
        gamma=0.95,
        tau=0.05,
        ent_coef=0.1,
        her=HerCfg(),
        demo_path=Choice(
            what="demonstrations of this task by `genelab collect-demos`", kind="file", variable="GENELAB_SB3_DEMO_PATH"
        ),
        save_interval=25,
    )
