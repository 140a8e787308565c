"""What the maker of a `VectorEnvCfg` returns: simulations of one kind, in NumPy."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genelab.draw.depiction import Picture

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SimulationsState = dict[str, NDArray[np.float64] | NDArray[np.uint8]]
"""Everything that the simulations depend on, by name; one row for each of them."""


@dataclass(frozen=True)
class Outcome:
    """What a control step came to, of every simulation."""

    observation: Floats
    """What it shows, of an ended episode too. Shape: (num_envs, columns)."""
    reward: Floats
    """Shape: (num_envs,)."""
    terminated: Bools
    """Where the episode ended by itself, not by a time limit. Shape: (num_envs,)."""
    truncated: Bools
    """Where it is cut short, so that the value of its last state still counts. Shape: (num_envs,)."""
    failed: Bools
    """Where the simulator met an error, so that nothing of the row is to be believed. Shape: (num_envs,)."""


class Simulations(Protocol):
    """Independent simulations. What one does depends on its own start, actions and state alone."""

    def start(self, rows: NDArray[np.int64], draws: Floats) -> Floats:
        """Begin episodes.

        Args:
            rows: simulations, by number. Shape: (n,).
            draws: uniform in [0, 1), which decide the start. Shape: (n, `start_draws` of the config).

        Returns:
            What they show. Shape: (n, columns).
        """
        ...

    def step(self, action: Floats) -> Outcome:
        """Step all of them, also those whose episode ended. Shape: (num_envs, columns), in [-1, 1]."""
        ...

    def state(self) -> SimulationsState:
        """Copies of everything that the next step depends on; nothing if it cannot be saved (`resume` is `none`)."""
        ...

    def restore(self, state: SimulationsState) -> None:
        """Return to what `state` returned, of these or of others of the same config."""
        ...

    def picture(self) -> Picture:
        """What the first of them looks like, in even numbers of pixels. Shape: (height, width, 3).

        Raises:
            DrawError: if it cannot be drawn.
        """
        ...

    def close(self) -> None:
        """Free what they hold."""
        ...
