"""Whether the physics went wrong in an environment."""

import torch
from torch import Tensor

from genelab.envs.terms import Tap
from genelab.mdp.state import StateView

TOO_FAST = 1000.0
"""Speed of a joint, m/s or rad/s, of a link, rad/s, or of an object or a floating base, m/s, that none reaches. A
diverging environment passes through huge finite values first, and one such observation would spoil the normaliser."""


def broken_physics(state: StateView, failed: Tensor, tap: Tap | None) -> Tensor:
    """Where a state is not finite, a speed is absurd, or the simulator failed, bool.

    Args:
        state: the state.
        failed: where the simulator said that it met an error, bool. Shape: (num_envs,).
        tap: is shown everything that is looked at, in order.

    Returns:
        Shape: (num_envs,).
    """
    physics = {
        "joint_pos": state.joint_pos,
        "joint_vel": state.joint_vel,
        "link_pos_w": state.link_pos_w,
        "link_quat_w": state.link_quat_w,
        "link_ang_vel_w": state.link_ang_vel_w,
        "object_pos_w": state.object_pos_w,
        "object_lin_vel_w": state.object_lin_vel_w,
    }
    speeds = [state.joint_vel, state.link_ang_vel_w, state.object_lin_vel_w]
    for view in state.views.values():
        physics |= view.checked
        speeds += view.speeds
    # Not NaN, which is told by its own name.
    too_fast = (torch.cat([speed.flatten(1) for speed in speeds], dim=1).abs() > TOO_FAST).any(dim=1)
    if tap is not None:
        tap("action", state.action)
        for name, value in physics.items():
            tap(f"state/{name}", value)
        tap(f"speed above {TOO_FAST:g} m/s or rad/s", too_fast)
        tap("simulator error", failed)
    finite = torch.isfinite(torch.cat([value.flatten(1) for value in physics.values()], dim=1)).all(dim=1)
    return failed | too_fast | ~finite
