"""Runs the seeds of a plan: one job per seed and phase, so many at a time, and every end accounted for."""

import dataclasses
import signal
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genelab.errors import InputError
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.records.run import Failure, RunRecord, RunStatus
from genelab.records.sweep import SeedState
from genelab.runs.files import disk_errors
from genelab.runs.lock import locked, wait_until_free
from genelab.sweep.book import Book
from genelab.sweep.executors import Executor, Job, Phase
from genelab.sweep.live import QuietView, only_shown
from genelab.sweep.plan import SeedPlan, SweepPlan
from genelab.sweep.stop import StopRequest, stop_requests
from genelab.sweep.summary import closing_lines
from genelab.worker.stop import STOPPED

POLL_S = 0.1
RUNS = "runs"
"""Folder that stands in records for the one of an absolute --log-dir."""

_RUNNING: dict[Phase, SeedState] = {"train": "training", "evaluate": "evaluating"}
_DONE: dict[Phase, RunStatus] = {"train": "trained", "evaluate": "finished"}


def recorded(argv: Sequence[str], log_dir: Path) -> tuple[str, ...]:
    """The command line as records hold it: where the directory lies says something about this machine alone."""
    if not log_dir.is_absolute():
        return tuple(argv)
    options, told = ("--log-dir", "--log_dir"), [*argv]
    for k, word in enumerate(told):
        option, equals, _ = word.partition("=")
        if option in options and equals:
            told[k] = f"{option}={RUNS}/{log_dir.name}"
        elif k and told[k - 1] in options:
            told[k] = f"{RUNS}/{log_dir.name}"
    return tuple(told)


def launch(plan: SweepPlan, argv: Sequence[str], view: QuietView, executor: Executor) -> int:
    """Run a plan to its end and return the exit code: 0, 1 if a seed failed, 128 + signal if stopped.

    Args:
        plan: what to do to each seed.
        argv: command line, for the record.
        view: shows how far the seeds are.
        executor: runs their phases.

    Raises:
        InputError: if the directory or a seed is in use, or cannot be written.
        RunError: if the disk is full. The jobs are stopped first.
    """
    with disk_errors(plan.log_dir):
        plan.log_dir.mkdir(parents=True, exist_ok=True)
    with locked(plan.log_dir):
        _wait_for_orphans(plan, view)
        # Another launch may have ended before the lock was ours.
        plan = plan.again()
        with stop_requests() as stop:
            launcher = _Launcher(plan, recorded(argv, plan.log_dir), view, executor)
            with view:
                launcher.run(stop)
            with only_shown():
                for line in launcher.summary():
                    view.say(line)
        if stop.signum is not None:
            return 128 + stop.signum
        return 0 if launcher.succeeded() else 1


@dataclass(frozen=True)
class _Running:
    """A job, and the phase of which seed it is."""

    seed: SeedPlan
    phase: Phase
    job: Job


class _Launcher:
    def __init__(self, plan: SweepPlan, argv: tuple[str, ...], view: QuietView, executor: Executor) -> None:
        self._plan = plan
        self._view = view
        self._executor = executor
        self._running: dict[int, _Running] = {}
        """Jobs by their seeds."""
        self._pending = deque(seed for seed in plan.seeds if seed.action != "skip")
        self._tries = Counter[int]()
        """Attempts of each seed in this launch."""
        self._book = Book(plan, argv)

    def run(self, stop: StopRequest) -> None:
        """Start, watch and reap until nothing is left to do, or all have stopped."""
        deadline: float | None = None
        for entry in self._book.entries.values():
            self._view.note(entry)
        try:
            while self._running or (self._pending and not stop):
                while self._pending and not stop and len(self._running) < self._plan.cfg.parallel:
                    seed = self._pending.popleft()
                    self._tries[seed.seed] += 1
                    attempts = self._book.entries[seed.seed].attempts + 1
                    self._start(seed, "evaluate" if seed.action == "evaluate" else "train", attempts=attempts)
                for seed, running in list(self._running.items()):
                    code = running.job.poll()
                    self._note_place(running)
                    if code is not None:
                        del self._running[seed]
                        self._reap(running, code, stop)
                if stop and self._running and deadline is None:
                    deadline = time.monotonic() + self._plan.cfg.grace_s
                    self._stop_jobs()
                if deadline is not None and (time.monotonic() > deadline or stop.insists):
                    self._kill_jobs()
                self._book.save(now=False)
                self._view.refresh(self._book.entries)
                time.sleep(POLL_S)
            self._view.refresh(self._book.entries, last=True)
        finally:
            # Jobs are left only after an error of our own: a full disk, an unreadable record.
            self._abandon(stop)
            self._book.save()

    def succeeded(self) -> bool:
        """Whether every seed of the plan is done."""
        done: tuple[SeedState, ...] = ("finished",) if self._plan.cfg.evaluate else ("finished", "trained")
        return all(self._book.entries[seed.seed].state in done for seed in self._plan.seeds)

    def summary(self) -> list[str]:
        """Where each seed of the plan stands, what they earned, and what to do next."""
        done = "all seeds are done" if self.succeeded() else "not all seeds are done"
        entries = [self._book.entries[seed.seed] for seed in self._plan.seeds]
        told = [f"{done}:", *(f"  {self._view.describe(entry)}" for entry in entries)]
        return [*told, *closing_lines(self._plan, entries)]

    def _start(self, seed: SeedPlan, phase: Phase, **changes: Any) -> None:
        self._change(seed.seed, state=_RUNNING[phase], exit_code=None, reason=None, **changes)
        job = self._executor.start(phase, seed.run_dir, self._plan.execution)
        self._running[seed.seed] = _Running(seed, phase, job)

    def _note_place(self, running: _Running) -> None:
        """Record on which machine of a cluster a job runs, or what it waits for."""
        entry, job = self._book.entries[running.seed.seed], running.job
        if job.node is not None and (job.node,) != entry.nodes[-1:]:
            self._change(entry.seed, nodes=(*entry.nodes, job.node))
        if job.waiting != entry.reason:
            self._change(entry.seed, reason=job.waiting)

    def _go_on_elsewhere(self, ended: _Running, code: int, record: RunRecord) -> None:
        """Queue a seed again whose machine was lost. It goes on from the last state that is here."""
        seed, tries = ended.seed.seed, self._tries[ended.seed.seed]
        ended.seed.run_dir.mark_dead("killed", None)
        reason = f"{ended.job.last_line()}; attempt {tries + 1} of {self._plan.cfg.max_attempts} follows"
        self._change(seed, state="planned", exit_code=code, reason=reason)
        action = "evaluate" if record.checkpoint is not None else "resume"
        self._pending.appendleft(dataclasses.replace(ended.seed, action=action))

    def _reap(self, ended: _Running, code: int, stop: StopRequest) -> None:
        """Record the end of a job, and go on with its evaluation after a successful training."""
        seed, run_dir = ended.seed.seed, ended.seed.run_dir
        try:
            record = run_dir.load()
            if record.status == "finished":
                read_record(run_dir.eval_file, EvalRecord)
        except InputError as error:
            self._change(seed, state="crashed", exit_code=code, reason=f"{_describe_exit(code)}; {error}")
            return
        if ended.job.lost and not stop and self._tries[seed] < self._plan.cfg.max_attempts:
            self._go_on_elsewhere(ended, code, record)
        elif code == 0 and record.status == _DONE[ended.phase]:
            self._change(seed, state=record.status, exit_code=code)
            if ended.phase == "train" and self._plan.cfg.evaluate and not stop:
                self._start(ended.seed, "evaluate")
        elif code == 0 and ended.phase == "train" and record.status == "stage_done":
            if stop:
                self._change(seed, state="interrupted", exit_code=code, reason="stopped between two stages")
            else:
                self._start(ended.seed, "train")
        elif code == STOPPED or (stop and code < 0):
            # A job that stops by itself has said so already; one that was killed has not.
            run_dir.mark_dead("killed" if code < 0 else "interrupted", None)
            self._change(seed, state="interrupted", exit_code=code, reason=_describe_stop(ended.phase, code, record))
        elif code > 0 and record.failure is not None:
            reason = f"{record.failure.reason}: {record.failure.detail}"
            self._change(seed, state="failed", exit_code=code, reason=reason)
        else:
            reason = "ended without a result" if code == 0 else _describe_exit(code)
            if last := ended.job.last_line():
                reason += f"; last line: {last}"
            run_dir.mark_dead("killed" if code < 0 else "crashed", Failure(reason="crashed", detail=reason))
            self._change(seed, state="crashed", exit_code=code, reason=reason)

    def _stop_jobs(self) -> None:
        self._view.say(
            f"stopping: {len(self._running)} seed(s) have {self._plan.cfg.grace_s:g} s to save their state; "
            "Ctrl-C or SIGTERM again kills them"
        )
        for running in self._running.values():
            running.job.stop()

    def _kill_jobs(self) -> None:
        for running in self._running.values():
            running.job.kill()

    def _abandon(self, stop: StopRequest) -> None:
        for running in self._running.values():
            running.job.stop()
        deadline = time.monotonic() + self._plan.cfg.grace_s
        while any(running.job.poll() is None for running in self._running.values()):
            if time.monotonic() > deadline or stop.insists:
                self._kill_jobs()
            time.sleep(POLL_S)

    def _change(self, seed: int, **changes: Any) -> None:
        self._view.note(self._book.change(seed, **changes))


def _wait_for_orphans(plan: SweepPlan, view: QuietView) -> None:
    """A launcher that was killed leaves children that still save their state: it is theirs to finish."""
    for seed in plan.seeds:
        if seed.action != "skip" and seed.path.is_dir():
            wait_until_free(seed.path, plan.cfg.grace_s, view.say)


def _describe_stop(phase: Phase, code: int, record: RunRecord) -> str:
    """What a job that was asked to stop leaves behind, and how to go on."""
    killed = f"{_describe_exit(code)} before it could save; " if code == -signal.SIGKILL and phase == "train" else ""
    if phase == "evaluate":
        return "stopped while evaluating; the same command evaluates it again"
    saved = max((attempt.to_iteration or 0 for attempt in record.attempts), default=0)
    if saved == 0:
        return f"{killed}nothing saved yet; the same command starts it again"
    return f"{killed}saved at iteration {saved}; the same command goes on"


def _describe_exit(code: int) -> str:
    """An exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
