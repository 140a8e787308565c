"""Mirror images of observations and actions under reflection at the robot's x-z plane, derived from names.

A column of the image is a column of the original, with its sign kept or changed: y_new = sign * y_old[permutation].
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.mdp.term import Images, observed


def group_images(env: EnvCfg, name: str) -> Images:
    """Mirror images of the columns of an observation group, all frames of its history.

    Raises:
        InputError: if that of a term is not known.
    """
    found = Images()
    for term in observed(env, name):
        found += [(len(found) + column, sign) for column, sign in term.images()]
    frames, width = env.observations[name].history, len(found)
    return [(frame * width + column, sign) for frame in range(frames) for column, sign in found]


@dataclass(frozen=True)
class Mirror:
    """The mirror image of a vector."""

    permutation: Tensor
    """Column that each column comes from, int64. Shape: (dim,)."""
    sign: Tensor
    """Its sign. Shape: (dim,)."""

    @classmethod
    def of(cls, images: Images, device: torch.device) -> "Mirror":
        """The image with these columns."""
        sources, signs = zip(*images, strict=True)
        return cls(torch.tensor(sources, device=device), torch.tensor(signs, device=device))

    def __call__(self, rows: Tensor) -> Tensor:
        """Shapes: (..., dim) -> (..., dim)."""
        return rows.index_select(-1, self.permutation) * self.sign
