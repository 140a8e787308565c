"""Unitree G1: imitate a motion clip on flat ground.

The numbers are those of the published GeneLab task. docs/reference/g1-tracking.md lists the differences.
"""

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.base import Choice, Param
from genelab.config.env import EnvCfg
from genelab.config.scene import GroundCfg, SimCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import (
    IntervalEventCfg,
    MeasureCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    PartCfg,
    RewardTermCfg,
    TerminationCfg,
)
from genelab_unitree.robots.g1 import FOOT_LINKS, JOINTS, action, robot

TERMS = "genelab.families.tracking.terms"
ANCHOR = "torso_link"
LINKS = [
    "pelvis",
    *(f"{side}_{link}_link" for side in ("left", "right") for link in ("hip_roll", "knee", "ankle_roll")),
    ANCHOR,
    *(f"{side}_{link}_link" for side in ("left", "right") for link in ("shoulder_roll", "elbow", "wrist_yaw")),
]
"""The tracked ones."""
HANDS_AND_FEET = [*FOOT_LINKS, "left_wrist_yaw_link", "right_wrist_yaw_link"]
WIDTHS = {
    "wanted_joint_pos": 1.0,
    "wanted_joint_vel": 5.0,
    "wanted_anchor_pos": 0.2,
    "wanted_anchor_rotation": 1.0,
    "link_positions": 0.6,
    "link_rotations": 1.0,
    "base_lin_vel": 0.5,
    "base_ang_vel": 1.0,
    "joint_pos": 0.5,
    "joint_vel": 6.0,
    "last_action": 2.0,
}
"""Of the observation terms, as a robot has them that follows a clip on its feet: half the way between the bounds."""
TRAINING_S, EVALUATION_S = 10.0, 30.0


def flat() -> TaskSpec:
    """The task."""
    network = NetworkCfg(hidden_dims=(512, 256, 128), activation="elu")
    return TaskSpec(
        id="Genelab-Tracking-Flat-Unitree-G1-v0",
        task_version=1,
        package="genelab_unitree",
        published_as="Genelab-Tracking-Flat-Unitree-G1-v0",
        # All numbered episodes of the published protocol are one and the same.
        drawn_starts=0.3,
        # 5 per second where nothing is missed and no action changes.
        return_ceiling=5.0 * EVALUATION_S,
        env=_env(),
        agent=PpoCfg(actor=network, critic=network, save_interval=500),
        train=TrainCfg(num_envs=4096, iterations=30_000, episode_length_s=TRAINING_S),
    )


def _env() -> EnvCfg:
    joints: dict[str, Param] = {"joints": JOINTS}
    return EnvCfg(
        decimation=10,
        episode_length_s=EVALUATION_S,
        sim=SimCfg(dt=0.002),
        robot=robot(),
        ground=GroundCfg(),
        parts={"motion": _motion()},
        action=action(),
        observations=_observations(),
        rewards={
            "anchor_pos": _reward("anchor_pos", 0.5, 0.3),
            "anchor_rotation": _reward("anchor_rotation", 0.5, 0.4),
            "link_pos": _reward("link_pos", 1.0, 0.3),
            "link_rotation": _reward("link_rotation", 1.0, 0.4),
            "link_lin_vel": _reward("link_lin_vel", 1.0, 1.0),
            "link_ang_vel": _reward("link_ang_vel", 1.0, 3.141592653589793),
            "action_rate": RewardTermCfg(func="genelab.mdp.rewards:action_rate", weight=-0.1),
            "joint_limits": RewardTermCfg(
                func="genelab.mdp.locomotion:beyond_joint_limits", weight=-10.0, params=joints
            ),
        },
        terminations={
            "anchor_height": _termination("anchor_height_off", limit=0.25),
            "anchor_tilt": _termination("anchor_tilt_off", limit=0.8),
            "hands_and_feet_height": _termination("link_height_off", links=HANDS_AND_FEET, limit=0.25),
            "clip_ended": TerminationCfg(func=f"{TERMS}:clip_ended", truncates=True),
        },
        # The motion writes the state in which an episode starts.
        reset_events={},
        disturbances={
            "push": IntervalEventCfg(
                func="genelab.mdp.events:push_base",
                params={
                    "speed_range": [-0.5, 0.5],
                    "up_range": [-0.4, 0.4],
                    "tilt_rate_range": [-0.52, 0.52],
                    "yaw_rate_range": [-0.78, 0.78],
                },
                interval_s=(1.0, 3.0),
            )
        },
        measures={
            # The names by which records tell the share of the way.
            "commanded_speed": MeasureCfg(func=f"{TERMS}:wanted_speed", unit="m/s"),
            "speed_along_command": MeasureCfg(func=f"{TERMS}:speed_along_clip", unit="m/s"),
            "link_distance": MeasureCfg(func=f"{TERMS}:link_distance", unit="m"),
            "anchor_distance": MeasureCfg(func=f"{TERMS}:anchor_distance", unit="m"),
        },
    )


def _motion() -> PartCfg:
    """The clip, and how far from its frames the episodes of a training start."""
    return PartCfg(
        func="genelab.families.tracking.motion:motion",
        params={
            "clip": Choice(
                what="motion clip of this robot, by `genelab motion import` or `genelab motion make`",
                kind="file",
                variable="GENELAB_MOTION_FILE",
            ),
            "anchor": ANCHOR,
            "links": LINKS,
            "pos_noise": [0.05, 0.05, 0.01],
            "rotation_noise": [0.1, 0.1, 0.2],
            "lin_vel_noise": [0.5, 0.5, 0.2],
            "ang_vel_noise": [0.52, 0.52, 0.78],
            "joint_pos_noise": 0.1,
            "adaptive": False,
        },
    )


def _observations() -> dict[str, ObservationGroupCfg]:
    """The critic sees where the robot's links are, too."""
    command = {
        "wanted_joint_pos": _observation(f"{TERMS}:wanted_joint_pos", joints=JOINTS),
        "wanted_joint_vel": _observation(f"{TERMS}:wanted_joint_vel", joints=JOINTS),
        "wanted_anchor_pos": _observation(f"{TERMS}:wanted_anchor_pos"),
        "wanted_anchor_rotation": _observation(f"{TERMS}:wanted_anchor_rotation"),
    }
    links = {
        "link_positions": _observation(f"{TERMS}:link_positions", links=LINKS, frame=ANCHOR),
        "link_rotations": _observation(f"{TERMS}:link_rotations", links=LINKS, frame=ANCHOR),
    }
    own = {
        "base_lin_vel": _observation("genelab.mdp.observations:base_lin_vel"),
        "base_ang_vel": _observation("genelab.mdp.observations:base_ang_vel"),
        "joint_pos": _observation("genelab.mdp.observations:joint_pos_rel", joints=JOINTS),
        "joint_vel": _observation("genelab.mdp.observations:joint_vel_rel", joints=JOINTS),
        "last_action": _observation("genelab.mdp.observations:last_action"),
    }
    return {
        "policy": ObservationGroupCfg(terms=_bounded({**command, **own}), noise=False),
        "critic": ObservationGroupCfg(terms=_bounded({**command, **links, **own}), noise=False),
    }


def _bounded(terms: dict[str, ObservationTermCfg]) -> dict[str, ObservationTermCfg]:
    return {name: term.model_copy(update={"bounds": ((-WIDTHS[name], WIDTHS[name]),)}) for name, term in terms.items()}


def _observation(func: str, **params: Param) -> ObservationTermCfg:
    return ObservationTermCfg(func=func, params=params)


def _reward(func: str, weight: float, width: float) -> RewardTermCfg:
    return RewardTermCfg(func=f"{TERMS}:{func}", weight=weight, params={"width": width})


def _termination(func: str, **params: Param) -> TerminationCfg:
    return TerminationCfg(func=f"{TERMS}:{func}", params=params)
