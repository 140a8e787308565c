"""Random numbers and numbers of episodes, the same in every kind of environment."""

import torch
from torch import Tensor

from genelab.envs.purpose import Purpose
from genelab.rng import Stream


class Draws:
    """Uniform draws of a purpose: of an episode and its step if those are numbered, else of environment and step."""

    def __init__(self, purpose: Purpose) -> None:
        self._purpose = purpose
        self._streams: dict[str, Stream] = {}
        self._environment: Tensor | None = None

    def uniform(self, stream: str, dim: int, episode_number: Tensor, episode_step: Tensor, num_steps: int) -> Tensor:
        """Draws in [0, 1).

        Args:
            stream: what they are for.
            dim: draws for each environment.
            episode_number: of the running episodes. Shape: (num_envs,).
            episode_step: control steps since they began. Shape: (num_envs,).
            num_steps: control steps since the environments were reset.

        Returns:
            Shape: (num_envs, dim).
        """
        if stream not in self._streams:
            domain = "evaluation" if self._purpose.numbered else "training"
            self._streams[stream] = Stream.of(self._purpose.seed, f"{domain}/{stream}")
        if self._purpose.numbered:
            return self._streams[stream].uniform(episode_number, episode_step, dim)
        if self._environment is None:
            self._environment = torch.arange(len(episode_step), device=episode_step.device)
        return self._streams[stream].uniform(self._environment, torch.full_like(episode_step, num_steps), dim)


def at_time_limit(purpose: Purpose, max_steps: int, episode_number: Tensor, episode_step: Tensor) -> Tensor:
    """Where the time of an episode is up. Shapes: (num_envs,) int64, (num_envs,) int64 -> (num_envs,) bool."""
    if not purpose.staggered:
        return episode_step >= max_steps
    num_envs = len(episode_number)
    # The first episodes are those numbered 0 to num_envs - 1.
    limit = torch.where(episode_number < num_envs, max_steps * (episode_number + 1) // num_envs, max_steps)
    return episode_step >= limit


def numbered(ended: Tensor, episode_number: Tensor, next_episode: Tensor) -> tuple[Tensor, Tensor]:
    """Give environments whose episode ended the next free numbers, in their order.

    Returns the numbers of all episodes, and the next free one.

    Shapes: (num_envs,) bool, (num_envs,) int64, () int64 -> (num_envs,), ().
    """
    rank = ended.to(torch.int64).cumsum(0) - 1
    return torch.where(ended, next_episode + rank, episode_number), next_episode + ended.sum()
