"""Terms that go wrong, for tests of the guards. Importable by its path alone, so that a worker can use them too."""

import torch
from torch import Tensor

from genelab.mdp.state import EventContext, StateView, StateWrite


def register() -> None:
    """Registers nothing: for an entry point, with which a worker takes these terms for those of a task package."""


def _hit(state: StateView, step: int, environment: int) -> Tensor:
    """Where the episode is at a step, in one environment. Shape: (num_envs,) bool."""
    number = torch.arange(state.joint_pos.shape[0], device=state.joint_pos.device)
    return (state.episode_step == step) & (number == environment)


def reward_of(state: StateView, value: str, step: int, environment: int) -> Tensor:
    """1 everywhere, and `value` once. Shape: (num_envs,)."""
    return torch.where(_hit(state, step, environment), float(value), 1.0)


def exploding(state: StateView) -> Tensor:
    """Grows by e^10 a step: 3e38 is passed in the ninth. Shape: (num_envs, 1)."""
    return torch.exp(10.0 * state.episode_step.float())[:, None]


def not_a_number(state: StateView, step: int, environment: int) -> Tensor:
    """0 everywhere, and NaN once. Shape: (num_envs, 1)."""
    return torch.where(_hit(state, step, environment), float("nan"), 0.0)[:, None]


_STEPPED: list[bool] = []


def born_broken(state: StateView, environment: int) -> Tensor:
    """NaN in the first observation of every episode of an environment but its first one. Shape: (num_envs, 1).

    A state does not tell which episode it belongs to. So this remembers whether there was a step, in the process.
    """
    if bool((state.episode_step > 0).all()):
        _STEPPED.append(True)
    return torch.where(_hit(state, 0, environment) & bool(_STEPPED), float("nan"), 0.0)[:, None]


def kick(context: EventContext, environment: int) -> StateWrite:
    """Throws one environment's joints at a speed whose square overflows float32."""
    state = context.state
    number = torch.arange(state.joint_pos.shape[0], device=state.joint_pos.device)[:, None]
    return StateWrite(joint_vel=torch.where(number == environment, 1e30, state.joint_vel))


def alive_but_once(state: StateView) -> Tensor:
    """1, and NaN in environment 40 at step 26 of an episode. Evaluations here have fewer. Shape: (num_envs,)."""
    return reward_of(state, "nan", 26, 40)
