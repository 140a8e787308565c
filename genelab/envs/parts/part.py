"""What every part of an environment offers, and what it gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.draw.depiction import Depiction
from genelab.envs.purpose import Purpose
from genelab.mdp.state import EventContext, StateView, View
from genelab.sim.engine import Engine

Memory = dict[str, Tensor]


@dataclass
class World:
    """What the parts of an environment share."""

    cfg: EnvCfg
    """The environment."""
    sim: Engine
    """The built scene."""
    purpose: Purpose
    """What the environment is for."""
    draw: Callable[[str, int], Tensor]
    """Uniform draws of this step in [0, 1) by stream name. Shape: (num_envs, dim)."""
    read: Callable[[], StateView]
    """Reads the current state."""
    episode_number: Tensor
    """Number of the running episode, int64. Shape: (num_envs,)."""
    episode_step: Tensor
    """Control steps since it began, int64. Shape: (num_envs,)."""
    num_steps: int = 0
    """Control steps that the environment has taken."""

    @property
    def num_envs(self) -> int:
        """Parallel environments."""
        return self.sim.num_envs

    @property
    def device(self) -> torch.device:
        """Device of every tensor."""
        return self.sim.device

    def event(self, stream: str, state: StateView | None = None) -> EventContext:
        """What an event may read whose draws have this stream. `state`: the current one, if it has been read."""
        taken = 0 if self.purpose.numbered else self.num_steps
        return EventContext(state or self.read, lambda dim: self.draw(stream, dim), taken)

    def zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Zeros. Shape: `(num_envs, *shape)`."""
        return torch.zeros(self.num_envs, *shape, dtype=dtype, device=self.device)

    def needed(self, mask: Tensor) -> bool:
        """Whether masked work must be done. Asking a GPU would make it wait, so there the answer is always yes."""
        return self.device.type != "cpu" or bool(mask.any())

    def steps_within(self, interval_s: tuple[float, float], stream: str) -> Tensor:
        """Times drawn uniformly from an interval, as control steps, at least one, int64. Shape: (num_envs,)."""
        low, high = interval_s
        draws = self.draw(stream, 1)[:, 0]
        return ((low + (high - low) * draws) / self.cfg.control_dt).round().to(torch.int64).clamp_(min=1)


class Part:
    """One part. The environment calls every hook of every part, in order; a part overrides those that it needs.

    In a step: `act`, `aim`, physics, `sense`, rewards and terminations, `account`, `advance`, `start` where an episode
    ended, `keep`, observations.
    """

    def __init__(self) -> None:
        self.memory: Memory = {}
        """What is remembered from step to step, saved and restored with the environment. Shape: (num_envs, ...)."""

    def begin(self) -> None:
        """Forget everything and, in training, draw what holds for all episodes. `start` follows for all."""

    def start(self, mask: Tensor) -> None:
        """Begin new episodes where masked. Shape: (num_envs,) bool."""

    def act(self, action: Tensor) -> Tensor:
        """What becomes of the raw action on its way. Shapes: (num_envs, num_actions) -> the same."""
        return action

    def aim(self, targets: Tensor) -> Tensor:
        """What becomes of the targets of the driven joints. Shapes: (num_envs, driven) -> the same."""
        return targets

    def sense(self) -> None:
        """Look at the simulator after the physics of a control step."""

    def view(self, state: StateView) -> View | None:
        """What terms may read of this part, found by its class with `StateView.of`; None for nothing.

        `state` holds what the parts before this one show.
        """
        return None

    def account(self, state: StateView, broken: Tensor) -> None:
        """Count what the step led to. What the part shows must stay as it is.

        Args:
            state: after the physics.
            broken: where it is not to be believed. Shape: (num_envs,) bool.
        """

    def advance(self, state: StateView) -> bool:
        """Change what the next step meets.

        Returns whether the state must be read again for the observations: something was written to the simulator, or
        what this part shows has changed. Commands are read again anyway.

        `state`: after the physics, before any such write.
        """
        return False

    def keep(self, state: StateView) -> None:
        """Remember something of the state with which the next step begins."""

    def depict(self, state: StateView) -> Depiction | None:
        """What this part adds to a picture of the first environment; None for nothing."""
        return None

    def metrics(self) -> dict[str, float]:
        """What the learning curve tells of this part."""
        return {}


PartT = TypeVar("PartT", bound=Part)
