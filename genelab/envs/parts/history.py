"""The last frames of an observation group."""

import torch
from torch import Tensor

from genelab.envs.parts.part import Part


class History(Part):
    """Stacks frames, oldest first."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self._frames = frames

    def begin(self) -> None:
        """Forget all frames."""
        self.memory.clear()

    def stacked(self, frame: Tensor, first: Tensor, *, keep: bool) -> Tensor:
        """This frame behind those before it, oldest first; copies of it where it is the first of an episode.

        Shapes: (num_envs, dim), (num_envs,) bool -> (num_envs, frames x dim).

        Args:
            frame: of this control step.
            first: where it is the first of an episode.
            keep: whether it becomes part of the history. Only what the policy sees does.
        """
        copies = frame[:, None].expand(-1, self._frames, -1)
        kept = self.memory.get("frames", copies)
        frames = torch.where(first[:, None, None], copies, torch.cat([kept[:, 1:], frame[:, None]], dim=1))
        if keep:
            self.memory["frames"] = frames
        return frames.flatten(1)
