"""What a viewer draws of a body."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Shape:
    """All that has one colour of a link, of an object, or of what stands still, as one mesh."""

    link: str | None
    """The link that it moves with; None for none."""
    object: str | None
    """The object that it moves with. What has neither stands still."""
    color: tuple[int, int, int]
    """RGB, 0 to 255."""
    vertices: NDArray[np.float64]
    """In the frame of the body, m. Shape: (vertices, 3)."""
    faces: NDArray[np.int64]
    """Vertices of each triangle. Shape: (faces, 3)."""
