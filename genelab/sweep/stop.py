"""Signals that ask a launch to stop: one request, however often it is delivered."""

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from genelab.worker.stop import REQUESTS, handle, restore

REPEAT_S = 2.0
"""Shortest time from one demand to a second one, s. `timeout`, `uv run`, `srun` and others deliver one twice."""
DEMANDS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"""Signals that demand an end. The others are early warnings of a scheduler or tell that the terminal is gone."""


class StopRequest:
    """Whether a launch was asked to stop, and whether to wait for jobs that save their state.

    The first signal asks. A demand that follows another one by `REPEAT_S`, or SIGQUIT after another demand, insists.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        """The first signal."""
        self.insists = False
        """Whether the jobs are to be killed."""
        self._demand: tuple[int, float] | None = None

    def __bool__(self) -> bool:
        return self.signum is not None

    def note(self, signum: int, at_s: float) -> None:
        """Take a signal that came at a time on any clock."""
        if self.signum is None:
            self.signum = signum
        if signum not in DEMANDS:
            return
        if self._demand is None:
            self._demand = signum, at_s
            return
        first, since_s = self._demand
        if at_s - since_s >= REPEAT_S or (signum == signal.SIGQUIT and first != signal.SIGQUIT):
            self.insists = True


@contextmanager
def stop_requests() -> Generator[StopRequest]:
    """Collect requests to stop instead of dying of them."""
    stop = StopRequest()

    def note(signum: int, _frame: FrameType | None) -> None:
        stop.note(signum, time.monotonic())

    before = handle((signal.SIGINT, *REQUESTS), note)
    try:
        yield stop
    finally:
        restore(before)
