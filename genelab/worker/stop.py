"""SIGTERM, for a process that may have a state to save first."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

STOPPED = 128 + signal.SIGTERM
"""Exit code after SIGTERM with the state saved."""


class StopFlag:
    """Whether SIGTERM has come while it was deferred."""

    def __init__(self) -> None:
        self.is_set = False

    @contextmanager
    def deferred(self) -> Generator[None]:
        """While this lasts, SIGTERM only sets the flag, to be asked between two iterations.

        Otherwise it ends the process at once, by the kernel: a handler would have to wait for a kernel that compiles.
        """
        before = signal.signal(signal.SIGTERM, self._set)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
