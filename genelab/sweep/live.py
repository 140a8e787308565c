"""What a sweep shows while it runs: a live table on a terminal, lines with the time elsewhere."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Self

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

from genelab.errors import GenelabError
from genelab.progress import STAMP, Verbosity, clock
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.records.sweep import SeedEntry, SeedState
from genelab.runs.run_dir import RunDir
from genelab.show.text import NONE
from genelab.sweep.pace import Phase, Progress, read_phase, read_progress, schedule, stages_left
from genelab.sweep.plan import SweepPlan, seed_dir
from genelab.sweep.summary import describe_evaluation

LINE_INTERVAL_S = 2.0
"""Shortest time between two looks at the progress, for lines."""
TABLE_INTERVAL_S = 0.5
"""The same for the table."""
LOOK_SHARE = 10
"""A look is followed by so many times its own duration without one: it reads files of every seed that runs."""
TABLE_WIDTH = 60
"""Columns of a terminal that the table needs."""
TABLE_ROWS = 100
"""Most seeds that the table shows; the others are counted below it."""
_BUSY: tuple[SeedState, ...] = ("training", "evaluating")
_LEFT = re.compile(r", ([\d:]+) left$")
_COUNT = re.compile(r" \d+/\d+.*")
Entries = Mapping[int, SeedEntry]
"""Where each planned seed of a sweep stands."""


@contextmanager
def only_shown() -> Generator[None]:
    """Whatever goes wrong here is only shown: it ends no sweep. Once a line is lost, nothing more is printed."""
    try:
        yield
    except OSError:
        # A closed pipe, a terminal that is gone, or a full disk under a redirected log. What is still in the buffer
        # would fail once more when the process ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except GenelabError:
        # A record that cannot be read just now. Whoever decides by it reads it again.
        return


class QuietView:
    """Says what it is told, and nothing by itself."""

    def __init__(self, plan: SweepPlan) -> None:
        self.plan = plan

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @only_shown()
    def say(self, line: str) -> None:
        """Print at once: the other end may be a file that someone follows."""
        click.echo(line)

    def note(self, entry: SeedEntry) -> None:
        """Take in where a seed stands now. Called at each change."""

    def refresh(self, entries: Entries, *, last: bool = False) -> None:
        """Look at where the seeds are, now and then. Called many times a second, and a `last` time."""

    def describe(self, entry: SeedEntry) -> str:
        """One line on where a seed stands."""
        eval_file = self.run_dir(entry).eval_file
        if entry.state == "finished" and eval_file.is_file():
            return f"seed {entry.seed}: finished, {describe_evaluation(eval_file)}"
        attempt = f", attempt {entry.attempts}" if entry.nodes and entry.state in _BUSY else ""
        return f"seed {entry.seed}: {entry.state}{attempt}" + (f", {entry.reason}" if entry.reason else "")

    def run_dir(self, entry: SeedEntry) -> RunDir:
        """The directory of a seed."""
        return RunDir(seed_dir(self.plan.log_dir, entry.seed))


class LineView(QuietView):
    """Shows a sweep by one line per change of state, per phase and per tenth of the budget."""

    interval_s = LINE_INTERVAL_S

    def __init__(self, plan: SweepPlan) -> None:
        super().__init__(plan)
        self._states: dict[int, SeedState] = {}
        self._places: dict[int, str] = {}
        self._tenths: dict[int, int] = {}
        self._phases: dict[int, str] = {}
        self._devices: set[int] = set()
        self._next_look = 0.0
        self._begun = time.monotonic()
        self._changed: dict[int, datetime] = {}
        self._since: dict[int, float] = {}
        """When a seed began in this launch."""
        self._took: dict[int, float] = {}
        """How long a seed took in this launch, once it is at rest."""
        self._evaluating: dict[int, float] = {}
        self._evaluations_s: list[float] = []
        self._busy: dict[int, SeedEntry] = {}
        self._at_rest: dict[int, Progress | None] = {}
        """Progress of seeds of which no process runs, so that it changes no more."""
        self._sweep_left: str | None = None
        """Time left of all seeds, once a line of this look has asked for it."""

    def tell(self, line: str) -> None:
        """Print what happens now, with the time."""
        self.say(f"{datetime.now(UTC):{STAMP}} {line}")

    @only_shown()
    def note(self, entry: SeedEntry) -> None:
        """Print a new state, and on which machine of a cluster a seed runs or what it waits for there."""
        if entry.state in _BUSY:
            self._busy[entry.seed] = entry
        else:
            self._busy.pop(entry.seed, None)
        if entry.state != self._states.get(entry.seed, "planned"):
            self._states[entry.seed] = entry.state
            self._at_rest.pop(entry.seed, None)
            self._time(entry)
            self.tell(self.describe(entry))
        self._say_place(entry)

    @only_shown()
    def refresh(self, entries: Entries, *, last: bool = False) -> None:
        """Print the progress, now and then."""
        begin = time.monotonic()
        if not last and begin < self._next_look:
            return
        self._sweep_left = None
        self._say_devices()
        self.look(entries)
        end = time.monotonic()
        self._next_look = max(begin + self.interval_s, end + LOOK_SHARE * (end - begin))

    def look(self, entries: Entries) -> None:
        """Print a line for each seed in a new phase, and for each that passed another tenth of its budget."""
        for entry in self._busy.values():
            phase = self.phase(entry)
            name = _COUNT.sub("", phase.text) if phase else ""
            if phase and name != self._phases.get(entry.seed):
                self.tell(f"seed {entry.seed}: {phase.text}")
            self._phases[entry.seed] = name
            if entry.state != "training" or (progress := self.progress(entry)) is None:
                continue
            tenth = 10 * progress.done // self.plan.task.all_iterations
            if tenth > self._tenths.get(entry.seed, 0):
                self._tenths[entry.seed] = tenth
                self.tell(f"seed {entry.seed}: {self._told(entries, progress)}")

    def _told(self, entries: Entries, progress: Progress) -> str:
        stages, seed_left = self._left(progress)
        here = [f"stage {name} {left} left" for name, left in stages if name and left != clock(0)][:1]
        parts = [
            f"iteration {progress.done}/{self.plan.task.all_iterations}",
            f"training return {_number(progress.episode_return)}",
            f"{progress.steps_per_s:,.0f} steps/s",
            *here,
            f"{seed_left} left",
        ]
        if len(self.plan.seeds) > 1:
            parts.append(f"all seeds: {self.sweep_left(entries)}")
        return ", ".join(parts)

    def _say_devices(self) -> None:
        for seed, entry in self._busy.items():
            # What waits for a machine has no device yet.
            if seed in self._devices or entry.reason or not self.run_dir(entry).exists():
                continue
            execution = self.run_dir(entry).load().execution
            if execution.resolved_device:
                self._devices.add(seed)
                if execution.requested.device == "auto":
                    self.tell(f"seed {seed}: device auto chose {execution.resolved_device}")

    def _say_place(self, entry: SeedEntry) -> None:
        place = entry.reason or (f"on {entry.nodes[-1]}" if entry.nodes else "")
        if entry.state not in _BUSY:
            self._places.pop(entry.seed, None)
        elif place and place != self._places.get(entry.seed):
            self._places[entry.seed] = place
            self.tell(f"seed {entry.seed}: {place}")

    def _time(self, entry: SeedEntry) -> None:
        seed, now = entry.seed, time.monotonic()
        # Whole seconds, as a worker's log has them.
        self._changed[seed] = datetime.now(UTC).replace(microsecond=0)
        if entry.state in _BUSY:
            self._since.setdefault(seed, now)
            self._took.pop(seed, None)
        elif seed in self._since:
            self._took[seed] = now - self._since[seed]
        if entry.state == "evaluating":
            self._evaluating[seed] = now
        elif entry.state == "finished" and seed in self._evaluating:
            self._evaluations_s.append(now - self._evaluating[seed])

    def progress(self, entry: SeedEntry) -> Progress | None:
        """Where the training of a seed is."""
        if entry.state in _BUSY:
            return read_progress(self.run_dir(entry).curve, self.plan.task)
        if entry.seed not in self._at_rest:
            self._at_rest[entry.seed] = read_progress(self.run_dir(entry).curve, self.plan.task)
        return self._at_rest[entry.seed]

    def phase(self, entry: SeedEntry) -> Phase | None:
        """What the worker of a seed is doing; None while it iterates, or has said nothing yet."""
        found = read_phase(self.run_dir(entry).train_log) if entry.state in _BUSY else None
        # The log may still be that of the process before.
        return found if found and found.since >= self._changed[entry.seed] else None

    def elapsed(self, entry: SeedEntry) -> str:
        """How long a seed has taken in this launch."""
        if entry.seed not in self._since:
            return NONE
        return clock(self._took.get(entry.seed, time.monotonic() - self._since[entry.seed]))

    def _left(self, progress: Progress | None) -> tuple[Sequence[tuple[str | None, str]], str]:
        """Training time left of each stage and of the seed, as text."""
        if progress is None or progress.pace is None:
            return [(name, NONE) for name, _ in self.plan.task.line()], NONE
        left = stages_left(self.plan.task, progress.done, progress.pace)
        return [(name, clock(seconds)) for name, seconds in left], clock(sum(seconds for _, seconds in left))

    def sweep_left(self, entries: Entries) -> str:
        """Time left until all seeds of the launch are done, as text; computed once in each look."""
        if self._sweep_left is None:
            self._sweep_left = self._compute_left(entries)
        return self._sweep_left

    def _compute_left(self, entries: Entries) -> str:
        found = {seed.seed: self.progress(entries[seed.seed]) for seed in self.plan.seeds}
        paces = [progress.pace for progress in found.values() if progress and progress.pace]
        if not paces:
            return "time left known after the second iteration"
        pace, evaluation_s = sum(paces) / len(paces), 0.0
        if self.plan.cfg.evaluate and self._evaluations_s:
            evaluation_s = sum(self._evaluations_s) / len(self._evaluations_s)
        running: list[float] = []
        waiting: list[float] = []
        for seed in self.plan.seeds:
            state, progress = entries[seed.seed].state, found[seed.seed]
            done, own = (progress.done, progress.pace or pace) if progress else (0, pace)
            train_s = sum(left for _, left in stages_left(self.plan.task, done, own))
            if state == "evaluating":
                running.append(max(evaluation_s - (time.monotonic() - self._evaluating[seed.seed]), 0.0))
            elif state == "training":
                running.append(train_s + evaluation_s)
            elif state == "planned":
                waiting.append((0.0 if seed.action == "evaluate" else train_s) + evaluation_s)
        unknown = ", evaluations not counted" if self.plan.cfg.evaluate and not self._evaluations_s else ""
        return f"about {clock(schedule(running, waiting, self.plan.cfg.parallel))} left{unknown}"


class TableView(LineView):
    """A table that stays up to date in place, with the lines above it."""

    interval_s = TABLE_INTERVAL_S

    def __init__(self, plan: SweepPlan, console: Console) -> None:
        super().__init__(plan)
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        with only_shown():
            self._live.start()
        return self

    @only_shown()
    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @only_shown()
    def say(self, line: str) -> None:
        """Print above the table."""
        self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tell(self, line: str) -> None:
        """Print what happens now above the table, which has the times."""
        self.say(line)

    def look(self, entries: Entries) -> None:
        """Draw the table anew."""
        busy = any(entry.state in ("planned", *_BUSY) for entry in entries.values())
        on_cluster = any(entry.nodes for entry in entries.values())
        shown = list(entries.values())
        if len(shown) > TABLE_ROWS:
            # Those that run, in the order planned.
            shown = sorted(shown, key=lambda entry: entry.state not in _BUSY)[:TABLE_ROWS]
        table = Table(
            *("seed", *(("node", "attempt") if on_cluster else ())),
            *("phase", "iteration", "return", "steps/s", "elapsed", "left"),
            title=self.plan.task.id,
            caption=f"elapsed {clock(time.monotonic() - self._begun)}, {self.sweep_left(entries) if busy else 'done'}"
            f"{_rest(entries, shown)}",
            box=SIMPLE_HEAD,
        )
        for entry in shown:
            progress = self.progress(entry)
            stages, seed_left = self._left(progress)
            speed = f"{progress.steps_per_s:,.0f}" if progress and entry.state == "training" else NONE
            done = f"{progress.done if progress else 0}/{self.plan.task.all_iterations}"
            training = entry.state in ("planned", "training")
            phase, phase_left = self._phase(entry)
            left = seed_left if training and not phase_left else phase_left
            cells = (done, self._return(entry, progress), speed, self.elapsed(entry), left or NONE)
            place = (entry.nodes[-1] if entry.nodes else NONE, str(entry.attempts)) if on_cluster else ()
            table.add_row(str(entry.seed), *place, phase, *cells)
            if len(stages) > 1 and entry.state == "training":
                for name, stage_left in stages:
                    blank = [""] * len(place)
                    table.add_row("", *blank, f"  {name or self.plan.task.id}", "", "", "", "", stage_left)
        self._live.update(table, refresh=True)

    def _phase(self, entry: SeedEntry) -> tuple[str, str]:
        """What a seed is doing and for how long, and how long that still takes if it counts."""
        if entry.state in _BUSY and entry.reason:
            return entry.reason, ""
        phase = self.phase(entry)
        if phase is None:
            return entry.state, ""
        found = _LEFT.search(phase.text)
        text = _LEFT.sub("", phase.text)
        return f"{text} {clock((datetime.now(UTC) - phase.since).total_seconds())}", found[1] if found else ""

    def _return(self, entry: SeedEntry, progress: Progress | None) -> str:
        if entry.state == "finished":
            metrics = read_record(self.run_dir(entry).eval_file, EvalRecord).metrics
            return f"{metrics.return_mean:.3f} evaluated"
        return NONE if progress is None else f"{_number(progress.episode_return)} training"


def _rest(entries: Entries, shown: Sequence[SeedEntry]) -> str:
    """How many seeds the table leaves out, by their states; empty for none."""
    count = Counter(entry.state for entry in entries.values()) - Counter(entry.state for entry in shown)
    return f"; more seeds: {', '.join(f'{number} {state}' for state, number in count.items())}" if count else ""


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def view_for(plan: SweepPlan, verbosity: Verbosity = "normal") -> QuietView:
    """The table on a terminal that can draw it, lines elsewhere; only what it is told if it is to be quiet."""
    if verbosity == "quiet":
        return QuietView(plan)
    console = Console()
    drawn = sys.stdout.isatty() and not console.is_dumb_terminal and console.width >= TABLE_WIDTH
    return TableView(plan, console) if drawn else LineView(plan)
