"""The environments that are built, and those that are shown."""

from torch import Tensor

FEWEST_BUILT = 2
"""A scene of one environment differs in the last bits, from its first physics step on, from each environment of a scene
of two or more, which are equal among themselves; presumably the compiler vectorises it otherwise. So none is ever built
alone: a copy of it, which gets the same targets and writes, runs along."""


class Rows:
    """Hides the copy. Where there is none, tensors pass through."""

    def __init__(self, shown: int) -> None:
        """`shown`: environments that the rest of the program knows of."""
        self.shown, self.built = shown, max(shown, FEWEST_BUILT)

    def of(self, built: Tensor) -> Tensor:
        """What is shown of what Genesis holds. Shapes: (built, ...) -> (shown, ...)."""
        return built if self.built == self.shown else built[: self.shown]

    def to(self, shown: Tensor) -> Tensor:
        """What Genesis gets. Shapes: (shown, ...) -> (built, ...)."""
        return shown if self.built == self.shown else shown.expand(self.built, *shown.shape[1:]).contiguous()
