"""Scripted demonstrations of pick and place: a state machine over all environments at once."""

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.mdp.state import StateView

APPROACH, DESCEND, CLOSE, LIFT, CARRY, HOLD = range(6)
APPROACH_ABOVE = 0.10
"""Height of the hand above the cube's centre in the approach, m. The open fingers straddle the cube already."""
GRASP_HEIGHT = 0.112
"""Height of the hand's origin at which the pads, 0.103 m below it, hold the cube, m."""
CLOSE_STEPS = 4
LIFT_HEIGHT, LIFTED_HEIGHT = 0.30, 0.22
"""Height aimed at in the lift, and height at which it ends, m."""
CARRY_ABOVE = 0.10
"""Height of the hand above the goal, m."""
NEAR_GOAL = 0.045
"""Distance of cube and goal at which carrying ends, m."""
HOLD_GAIN = 0.5


class Controller:
    """Takes the cube, lifts it, carries it to the goal and holds it there. Does not try again after a failed grasp."""

    def __init__(self, cfg: EnvCfg, num_envs: int, device: torch.device) -> None:
        """Start in every environment with the approach."""
        if cfg.action.kind != "differential_ik":
            raise ValueError(f"moves the hand by differential IK, not by '{cfg.action.kind}'")
        self._step = cfg.action.scale
        self._link = cfg.action.link
        self.phase = torch.full((num_envs,), APPROACH, dtype=torch.int64, device=device)
        """What each environment is about. Shape: (num_envs,)."""
        self._closing = torch.zeros_like(self.phase)

    def __call__(self, state: StateView) -> Tensor:
        """Raw actions for the next control step. Several phases may pass in one. Shape: (num_envs, 4)."""
        hand = state.link_pos_w[:, state.names.link_id(self._link)]
        cube = state.object_pos_w[:, state.names.object_id("cube")]
        goal = state.commands["goal_position"]
        over_cube = torch.cat([cube[:, :2], cube[:, 2:] + APPROACH_ABOVE], dim=1)
        grasp = torch.cat([cube[:, :2], torch.full_like(cube[:, 2:], GRASP_HEIGHT)], dim=1)
        lifted = torch.cat([hand[:, :2], torch.full_like(hand[:, 2:], LIFT_HEIGHT)], dim=1)
        over_goal = torch.cat([goal[:, :2], goal[:, 2:] + CARRY_ABOVE], dim=1)

        self._leave(APPROACH, _near(hand, over_cube, plane=0.010, height=0.016))
        self._leave(DESCEND, _near(hand, grasp, plane=0.010, height=0.008))
        closing = self.phase == CLOSE
        self._leave(CLOSE, self._closing >= CLOSE_STEPS)
        self._closing = torch.where(closing, self._closing + 1, torch.zeros_like(self._closing))
        self._leave(LIFT, hand[:, 2] > LIFTED_HEIGHT)
        self._leave(CARRY, (cube - goal).norm(dim=1) < NEAR_GOAL)

        targets = torch.stack([over_cube, grasp, hand, lifted, over_goal, over_goal])
        target = targets[self.phase, torch.arange(len(hand), device=hand.device)]
        move = ((target - hand) / self._step).clamp(-1.0, 1.0)
        move = torch.where((self.phase == HOLD)[:, None], HOLD_GAIN * move, move)
        gripper = torch.where(self.phase < CLOSE, 1.0, -1.0).to(move.dtype)
        return torch.cat([move, gripper[:, None]], dim=1)

    def reset(self, mask: Tensor) -> None:
        """Begin again where an episode ended. Shape: (num_envs,) bool."""
        self.phase = self.phase.masked_fill(mask, APPROACH)
        self._closing = self._closing.masked_fill(mask, 0)

    def _leave(self, phase: int, done: Tensor) -> None:
        self.phase = torch.where((self.phase == phase) & done, phase + 1, self.phase)


def _near(position: Tensor, target: Tensor, plane: float, height: float) -> Tensor:
    """Whether positions are near targets, in the plane and in height, m. Shape: (num_envs,) bool."""
    error = target - position
    return (error[:, :2].norm(dim=1) < plane) & (error[:, 2].abs() < height)
