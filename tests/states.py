"""States of robots as terms and parts read them, without a simulator."""

from typing import Any

import torch

from genelab.mdp.state import BaseState, Names, StateView
from genelab.mdp.terrain import HeightMap


def state_view(names: Names, num_envs: int, **fields: Any) -> StateView:
    """A state of joints, links and objects in which everything is 0 but these fields."""
    joints, links = torch.zeros(num_envs, len(names.joints)), torch.zeros(num_envs, len(names.links), 3)
    objects = torch.zeros(num_envs, len(names.objects), 3)
    zeros: dict[str, Any] = {
        **dict.fromkeys(("joint_pos", "joint_vel", "action", "previous_action"), joints),
        **dict.fromkeys(("link_pos_w", "link_ang_vel_w"), links),
        **dict.fromkeys(("object_pos_w", "object_lin_vel_w"), objects),
        "default_joint_pos": joints.new_zeros(len(names.joints)),
        "link_quat_w": torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(num_envs, len(names.links), 4),
        "commands": {},
        "episode_step": torch.zeros(num_envs, dtype=torch.int64),
        "max_episode_steps": 10,
    }
    return StateView(**{"names": names, **zeros, **fields})


def base_state(names: Names, num_envs: int, **fields: Any) -> BaseState:
    """A base upright at the origin, at rest and touching nothing, but for these fields."""
    vectors, joints = torch.zeros(num_envs, 3), torch.zeros(num_envs, len(names.joints))
    links = torch.zeros(num_envs, len(names.links), 3)
    zeros: dict[str, Any] = {
        **dict.fromkeys(("pos_w", "lin_vel_w", "ang_vel_w", "origin_w"), vectors),
        **dict.fromkeys(("link_lin_vel_w", "contact_force_w"), links),
        **dict.fromkeys(("joint_torque", "previous_joint_vel"), joints),
        "quat_w": torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(num_envs, 4),
        "default_pos": torch.zeros(3),
        "joint_range": torch.tensor([[-1.0], [1.0]]).expand(2, len(names.joints)),
        "ground": HeightMap.flat(),
        "control_dt": 0.02,
    }
    return BaseState(**{**zeros, **fields})
