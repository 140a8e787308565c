"""Says on stderr what a process is doing while it takes long.

One line of the process, kept here and not handed down: phases begin deep in engines and evaluations, and no result
depends on them. Nothing is shown outside `shown`, so code that is used as a library stays silent.
"""

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")
Verbosity = Literal["quiet", "normal", "verbose"]
VERBOSE = "GENELAB_VERBOSE"
"""Environment variable by which a launcher asks its workers for the simulator's own log."""
STAMP = "%Y-%m-%dT%H:%M:%SZ"
"""Time of a line, UTC."""
LINE_INTERVAL_S = 2.0
"""Shortest time between two lines about the same count."""


class Report(Protocol):
    """Tells how far a count is."""

    def __call__(self, done: int, share: float | None = None) -> None:
        """`done` of the total. `share` of the work, in 0..1, if it is not `done / total`; the time left follows it."""
        ...


class _Silent:
    """Shows nothing."""

    def show(self, text: str, since: float) -> None:
        """Begin a phase."""

    def count(self, text: str, tenth: int) -> None:
        """Go on in a phase that counts."""

    def close(self) -> None:
        """Leave nothing behind."""


class _Lines(_Silent):
    """A line with the time for each phase, and for each tenth of a count."""

    def __init__(self) -> None:
        self._tenth, self._next_line = 0, 0.0

    def show(self, text: str, since: float) -> None:
        self._tenth, self._next_line = 0, time.monotonic() + LINE_INTERVAL_S
        self._say(text)

    def count(self, text: str, tenth: int) -> None:
        if tenth > self._tenth and (tenth >= 10 or time.monotonic() >= self._next_line):
            self._tenth, self._next_line = tenth, time.monotonic() + LINE_INTERVAL_S
            self._say(text)

    def _say(self, text: str) -> None:
        # What is only shown ends no work: a closed pipe, a terminal that is gone.
        with suppress(OSError):
            sys.stderr.write(f"{datetime.now(UTC):{STAMP}} {text}\n")
            sys.stderr.flush()


class _Live(_Silent):
    """One line of a terminal that is drawn again and again, with the seconds that its phase has taken."""

    def __init__(self) -> None:
        # Not for every command: it takes a tenth of a second.
        from rich.console import Console
        from rich.live import Live

        self._text, self._since = "importing", time.monotonic()
        # It prints above the line whatever else goes to stdout or stderr.
        self._live: Any = Live(console=Console(stderr=True), get_renderable=self._line, transient=True)
        self._live.start(refresh=True)

    def show(self, text: str, since: float) -> None:
        self._text, self._since = text, since

    def count(self, text: str, tenth: int) -> None:
        self._text = text

    def close(self) -> None:
        with suppress(OSError):
            self._live.stop()

    def _line(self) -> Any:
        from rich.text import Text

        return Text(f"{self._text}  {clock(time.monotonic() - self._since)}", no_wrap=True, overflow="ellipsis")


_line: _Silent = _Silent()
_verbosity: Verbosity = "normal"


@contextmanager
def shown(verbosity: Verbosity = "normal") -> Generator[None]:
    """Show the phases of the work inside, on stderr: live on a terminal, as lines elsewhere.

    A terminal shows `importing` at once. Elsewhere nothing is said before the first phase: wrong input is one line.
    Whatever prints to stdout meanwhile goes to stderr too, so that stdout holds results alone.
    """
    global _line, _verbosity
    before = _line, _verbosity
    with _stdout_to_stderr():
        _verbosity = verbosity
        _line = _Silent() if verbosity == "quiet" else _Live() if _draws(sys.stderr) else _Lines()
        try:
            yield
        finally:
            _line.close()
            _line, _verbosity = before


def verbosity() -> Verbosity:
    """How much this process was asked to say."""
    return _verbosity


def phase(text: str) -> None:
    """Begin a phase: what is being done from now on."""
    _line.show(text, time.monotonic())


def counting(what: str, total: int) -> Report:
    """A phase that counts. It begins with the first report, so that a first step which still compiles is none of it.

    Args:
        what: of which there are so many, as in `episodes 3/100`.
        total: their number.
    """
    begun: list[tuple[float, float]] = []

    def report(done: int, share: float | None = None) -> None:
        now, part = time.monotonic(), done / total if share is None else share
        if not begun:
            begun.append((now, part))
            _line.show(f"{what} {done}/{total}", now)
            return
        since, first = begun[0]
        told = f"{what} {done}/{total}"
        if first < part < 1.0:
            told += f", {clock((now - since) * (1.0 - part) / (part - first))} left"
        _line.count(told, int(10 * part))

    return report


def counted(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Hand on items and count them."""
    report = counting(what, total)
    for number, item in enumerate(items, start=1):
        report(number)
        yield item


def clock(seconds: float) -> str:
    """A time as `0:05`, `12:34` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _draws(stream: Any) -> bool:
    """Whether a stream is a terminal that can draw a line again."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown", "")


@contextmanager
def _stdout_to_stderr() -> Generator[None]:
    """Libraries print to stdout from Python and from C."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
