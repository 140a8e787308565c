"""What a sweep shows while it runs: a live table on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import click
from pydantic import BaseModel, NonNegativeInt, PositiveFloat, ValidationError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from genelab.config.task import TaskSpec
from genelab.errors import GenelabError
from genelab.records.derived import unproven
from genelab.records.eval import EvalRecord, Metrics
from genelab.records.files import read_record
from genelab.records.sweep import SeedEntry, SeedState, SweepRecord
from genelab.runs.run_dir import RunDir
from genelab.sweep.plan import SweepPlan, seed_dir

LINE_INTERVAL_S = 2.0
"""Shortest time between two looks at the progress, for lines."""
TABLE_INTERVAL_S = 0.5
"""The same for the table."""
TABLE_WIDTH = 60
"""Columns of a terminal that the table needs."""
_TAIL_BYTES = 16384


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


class Progress(BaseModel):
    """What a row of a learning curve says about progress. For the eye: `genelab check` judges the file."""

    iteration: NonNegativeInt
    """Number of the iteration, from 0."""
    episode_return: float | None
    """Mean return of the last finished training episodes; null before the first."""
    steps_per_s: PositiveFloat
    """Control steps per second over all environments."""

    def eta_s(self, task: TaskSpec) -> float:
        """Seconds of training left at this speed."""
        steps = task.env_steps(task.all_iterations) - task.env_steps(self.iteration + 1)
        return steps / self.steps_per_s


def read_progress(curve: Path) -> Progress | None:
    """Progress as of the last line of curve.jsonl that is a whole row; None if there is none near its end."""
    if not curve.is_file():
        return None
    with curve.open("rb") as file:
        file.seek(max(0, curve.stat().st_size - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        # The last line may be half a row, being written right now.
        with suppress(ValidationError):
            return Progress.model_validate_json(line)
    return None


def describe_evaluation(eval_file: Path) -> str:
    """One line on a seed's record: return beside what doing nothing earns."""
    record = read_record(eval_file, EvalRecord)
    metrics, idle = record.metrics, record.baselines.idle.metrics
    verdict = "".join(f"  ** {text} **" for text in unproven(record))
    return (
        f"return {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}"
        f"{_success(metrics)}, idle {idle.return_mean:.3f}{_success(idle)}{verdict}"
    )


def _success(metrics: Metrics) -> str:
    if metrics.success_rate is None:
        return ""
    at_end = metrics.success_at_end_rate
    return f", success {metrics.success_rate:.1%}" + ("" if at_end is None else f" (at the end {at_end:.1%})")


class LineView:
    """Shows a sweep by one line per change of state and per tenth of the budget."""

    interval_s = LINE_INTERVAL_S

    def __init__(self, plan: SweepPlan) -> None:
        self.plan = plan
        self._states: dict[int, SeedState] = {}
        self._tenths: dict[int, int] = {}
        self._devices: set[int] = set()
        self._next_look = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @only_shown()
    def say(self, line: str) -> None:
        """Print at once: the other end may be a file that someone follows."""
        click.echo(line)

    @only_shown()
    def refresh(self, record: SweepRecord) -> None:
        """Print the changes of state, and now and then the progress. Called many times a second."""
        changed = [entry for entry in record.seeds if entry.state != self._states.get(entry.seed, "planned")]
        for entry in changed:
            self._states[entry.seed] = entry.state
            self.say(self.describe(entry))
        if changed or time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self.interval_s
            self._say_devices(record)
            self.look(record)

    def look(self, record: SweepRecord) -> None:
        """Print a line for each seed that passed another tenth of its budget."""
        for entry in record.seeds:
            if entry.state != "training" or (progress := self.progress(entry)) is None:
                continue
            tenth = 10 * (progress.iteration + 1) // self.plan.task.all_iterations
            if tenth > self._tenths.get(entry.seed, 0):
                self._tenths[entry.seed] = tenth
                iteration, value, speed, left = self.columns(entry, progress)
                self.say(f"seed {entry.seed}: iteration {iteration}, return {value}, {speed} steps/s, {left} left")

    def _say_devices(self, record: SweepRecord) -> None:
        for entry in record.seeds:
            seed, run_dir = entry.seed, self._run_dir(entry)
            if entry.state not in ("training", "evaluating") or seed in self._devices or not run_dir.exists():
                continue
            execution = run_dir.load().execution
            if execution.resolved_device:
                self._devices.add(seed)
                if execution.requested.device == "auto":
                    self.say(f"seed {seed}: device auto chose {execution.resolved_device}")

    def describe(self, entry: SeedEntry) -> str:
        """One line on where a seed stands."""
        eval_file = self._run_dir(entry).eval_file
        if entry.state == "finished" and eval_file.is_file():
            return f"seed {entry.seed}: finished, {describe_evaluation(eval_file)}"
        return f"seed {entry.seed}: {entry.state}" + (f", {entry.reason}" if entry.reason else "")

    def progress(self, entry: SeedEntry) -> Progress | None:
        """Newest row of the seed's learning curve."""
        return read_progress(self._run_dir(entry).curve)

    def _run_dir(self, entry: SeedEntry) -> RunDir:
        return RunDir(seed_dir(self.plan.log_dir, entry.seed))

    def columns(self, entry: SeedEntry, progress: Progress | None) -> tuple[str, str, str, str]:
        """Iteration, return, steps per second and time left, as text."""
        total = self.plan.task.all_iterations
        if progress is None:
            return (f"0/{total}", "-", "-", "-")
        value = "-" if progress.episode_return is None else f"{progress.episode_return:.3f}"
        minutes, seconds = divmod(round(progress.eta_s(self.plan.task)), 60)
        return (f"{progress.iteration + 1}/{total}", value, f"{progress.steps_per_s:,.0f}", f"{minutes}:{seconds:02}")


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

    def look(self, record: SweepRecord) -> None:
        """Draw the table anew."""
        table = Table("seed", "phase", "iteration", "return", "steps/s", "time left", title=self.plan.task.id)
        for entry in record.seeds:
            table.add_row(str(entry.seed), entry.state, *self.columns(entry, self.progress(entry)))
        self._live.update(table, refresh=True)


def view_for(plan: SweepPlan) -> LineView:
    """The table on a terminal that can draw it, lines elsewhere."""
    console = Console()
    drawn = sys.stdout.isatty() and not console.is_dumb_terminal and console.width >= TABLE_WIDTH
    return TableView(plan, console) if drawn else LineView(plan)
