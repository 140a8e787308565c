"""The world that parts of an environment see, without a simulator."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.envs.parts.part import World
from genelab.envs.purpose import Purpose


def world(cfg: Any, num_envs: int, *, numbered: bool = False, **sim: Any) -> World:
    """A world whose draws are 0 until `draws` sets others. `sim`: what the parts ask of the simulator."""
    cpu = torch.device("cpu")
    fake: Any = SimpleNamespace(num_envs=num_envs, device=cpu, **sim)
    purpose = Purpose(1, numbered=numbered, measures=True)
    state: Any = SimpleNamespace(joint_pos=torch.zeros(num_envs, 1))
    counts = torch.arange(num_envs)
    return World(cfg, fake, purpose, constant(num_envs, 0.0), lambda: state, counts, torch.zeros_like(counts))


def constant(num_envs: int, value: float) -> Callable[[str, int], Tensor]:
    """Draws that are all the same."""
    return lambda _stream, dim: torch.full((num_envs, dim), value)


def by_stream(num_envs: int, values: dict[str, float]) -> Callable[[str, int], Tensor]:
    """Draws that are the same within a stream."""
    return lambda stream, dim: torch.full((num_envs, dim), values[stream])


def empty_cfg(**fields: Any) -> EnvCfg:
    """A config that has these fields alone, for parts that read no others."""
    return SimpleNamespace(**fields)  # type: ignore[return-value]
