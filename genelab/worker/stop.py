"""Requests to stop, for a process that may have a state to save first."""

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPED = 128 + signal.SIGTERM
"""Exit code of a worker that was asked to stop and saved its state, whatever signal asked."""
REQUESTS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
"""Signals that ask for an end: a launcher or a user, a terminal that is gone, a scheduler before its time limit."""

Handler = Callable[[int, FrameType | None], None]


def handle(signals: Sequence[signal.Signals], handler: Handler) -> dict[signal.Signals, Any]:
    """Handle signals from now on; returns what handled them before. One that is ignored stays so, as nohup asks for."""
    caught = [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in caught}


def restore(before: Mapping[signal.Signals, Any]) -> None:
    """Bring back what handled the signals before."""
    for number, handler in before.items():
        signal.signal(number, handler)


class StopFlag:
    """Whether a request to stop has come while it was deferred."""

    def __init__(self) -> None:
        self.is_set = False

    @contextmanager
    def deferred(self) -> Generator[None]:
        """While this lasts, a request only sets the flag, to be asked between two iterations.

        Otherwise it ends the process at once, by the kernel: a handler would have to wait for a kernel that compiles.
        """
        before = handle(REQUESTS, self._set)
        try:
            yield
        finally:
            # After a request the process saves and ends; the same one delivered again must not cut that short.
            if not self.is_set:
                restore(before)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
