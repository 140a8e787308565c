"""What an iteration overwrote in the replay buffer, so that it can be undone without a copy of the buffer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Journal:
    """Old contents of parts of arrays, in the order in which they were overwritten."""

    def __init__(self) -> None:
        self._old: list[tuple[Array, Any, Array]] = []

    def keep(self, array: Array, where: Any) -> None:
        """Note what `array[where]` holds. Call it before each write."""
        self._old.append((array, where, np.array(array[where])))

    def undo(self) -> None:
        """Write everything back, the latest first, and forget it."""
        while self._old:
            array, where, old = self._old.pop()
            array[where] = old
