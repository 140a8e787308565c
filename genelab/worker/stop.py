"""SIGTERM, for a process that may have a state to save first."""

import signal
import sys
from types import FrameType

STOPPED = 128 + signal.SIGTERM
"""Exit code after SIGTERM."""


class StopFlag:
    """What SIGTERM does: end the process at once, or, where there is a state to save first, wait to be asked."""

    def __init__(self) -> None:
        self.is_set = False
        self.deferred = False
        """Whether the process looks at `is_set` between two iterations."""
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        if not self.deferred:
            sys.exit(STOPPED)
