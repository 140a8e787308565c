"""Whether recorded transitions are what the terms of an environment compute. Needs no simulator."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from genelab.config.env import EnvCfg
from genelab.envs.goal import Goal, added
from genelab.envs.terms import ObservationGroup
from genelab.errors import InputError
from genelab.mdp.state import EventContext, Names, StateView
from genelab.mdp.term import bind
from genelab.records.demos import Demos

REWARD_TOLERANCE = 1e-5
"""Largest difference of a recorded reward to the computed one: rounding of a sum of terms."""
ROWS = 65536
"""Rows judged at a time."""


def require_columns(cfg: EnvCfg, demos: Demos, where: str) -> None:
    """Check that every observation term is as wide in a file as its function makes it.

    Args:
        cfg: the environment, with the groups and terms of the file.
        demos: the file.
        where: names the file in the message.

    Raises:
        InputError: names the first term that is not.
    """
    state = _some_state(cfg)
    goal = Goal(cfg).of(state) if cfg.goal else None
    for name in cfg.observations:
        group = ObservationGroup(name, cfg, noise=False)
        group.measure(state, goal)
        for row in demos.header.layout[name]:
            if row.stop - row.start != group.dims[row.name]:
                told = (
                    f"{row.stop - row.start} columns of '{row.name}' in '{name}', the task has {group.dims[row.name]}"
                )
                raise InputError(f"{where} has {told}")


def require_rewards(cfg: EnvCfg, demos: Demos, where: str) -> None:
    """Check that every reward is the one that the two goals of its row give.

    Args:
        cfg: the environment, with a goal.
        demos: whole transitions.
        where: names the file in the message.

    Raises:
        InputError: names the first row whose reward differs by more than rounding.
    """
    assert cfg.goal is not None
    goal, scale = Goal(cfg), cfg.control_dt if cfg.reward_per == "second" else 1.0
    terms = [(bind(f"env.rewards.{name}", term, cfg), scale * term.weight) for name, term in cfg.rewards.items()]
    reached, wanted = (demos.arrays[name] for name in ("next_observations/achieved_goal", "observations/desired_goal"))
    for start in range(0, len(reached), ROWS):
        rows = slice(start, start + ROWS)
        view = goal.view(torch.from_numpy(reached[rows]), torch.from_numpy(wanted[rows]))
        expected = added((weight * term(view) for term, weight in terms), view.achieved[:, 0]).numpy()
        found = demos.arrays["rewards"][rows]
        # NaN fits nothing.
        wrong = np.flatnonzero(~(np.abs(expected - found) <= REWARD_TOLERANCE))
        if wrong.size:
            told = f"row {start + wrong[0]} has {found[wrong[0]]:g}, its goals give {expected[wrong[0]]:g}"
            raise InputError(f"{where} holds other rewards than those of the task: {told}")


def _some_state(cfg: EnvCfg) -> StateView:
    """A state of one environment, to learn how wide terms are. Its numbers mean nothing."""
    joints, links, objects = cfg.robot.joints, cfg.robot.links, tuple(cfg.objects)
    upright = torch.tensor([1.0, 0.0, 0.0, 0.0])
    arrays: dict[str, Any] = {
        "joint_pos": torch.zeros(1, len(joints)),
        "joint_vel": torch.zeros(1, len(joints)),
        "default_joint_pos": torch.zeros(len(joints)),
        "link_pos_w": torch.zeros(1, len(links), 3),
        "link_quat_w": upright.expand(1, len(links), 4),
        "link_ang_vel_w": torch.zeros(1, len(links), 3),
        "object_pos_w": torch.zeros(1, len(objects), 3),
        "object_lin_vel_w": torch.zeros(1, len(objects), 3),
        "action": torch.zeros(1, len(cfg.action_columns)),
        "previous_action": torch.zeros(1, len(cfg.action_columns)),
        "episode_step": torch.zeros(1, dtype=torch.int64),
    }
    state = StateView(
        names=Names(joints, links, objects), commands={}, max_episode_steps=cfg.max_episode_steps, **arrays
    )
    context = EventContext(state, lambda dim: torch.zeros(1, dim))
    commands = {name: bind(f"env.commands.{name}", term, cfg)(context) for name, term in cfg.commands.items()}
    return replace(state, commands=commands)
