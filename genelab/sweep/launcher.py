"""Runs the seeds of a plan: one process per seed and phase, so many at a time, and every end accounted for."""

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from genelab.errors import InputError
from genelab.records.run import AttemptEnd, Failure, RunStatus
from genelab.records.sweep import SeedEntry, SeedState, SweepRecord
from genelab.runs.files import disk_errors, read_record, remove_temporaries, write_record
from genelab.runs.gpu import visible_gpus
from genelab.runs.lock import locked
from genelab.runs.run_dir import RunDir
from genelab.sweep.live import View
from genelab.sweep.plan import SeedPlan, SweepPlan, make_plan
from genelab.sweep.process import Child, Phase, describe_exit

WORKER = (sys.executable, "-m", "genelab.runs.worker")
"""The child command; phase and run directory follow."""
POLL_S = 0.1
INTERRUPTED_CODES = (130, 143)
"""Exit codes of a worker that saved its state on SIGINT or SIGTERM."""

_RUNNING: dict[Phase, SeedState] = {"train": "training", "evaluate": "evaluating"}
_DONE: dict[Phase, RunStatus] = {"train": "trained", "evaluate": "finished"}


@dataclass
class Stop:
    """Signals received."""

    signals: list[int] = field(default_factory=list[int])

    def __bool__(self) -> bool:
        return bool(self.signals)


def launch(plan: SweepPlan, argv: Sequence[str], view: View, command: Sequence[str] = WORKER) -> int:
    """Run a plan to its end and return the exit code: 0, 1 if a seed failed, 128 + signal if stopped.

    Args:
        argv: command line, for the record.
        command: child command; the phase (`train`, `evaluate`) and the run directory are appended.

    Raises:
        InputError: if the directory or a seed is in use, or cannot be written.
        RunError: if the disk is full. The children are stopped first.
    """
    with disk_errors(plan.log_dir):
        plan.log_dir.mkdir(parents=True, exist_ok=True)
    with locked(plan.log_dir):
        # Planned anew under the lock: another launch may have ended in between.
        plan = make_plan(plan.task, plan.overrides, plan.execution, plan.cfg)
        with _signals() as stop:
            launcher = _Launcher(plan, tuple(argv), view, tuple(command))
            with view:
                launcher.run(stop)
        if stop:
            return 128 + stop.signals[0]
        return 0 if launcher.succeeded() else 1


class _Launcher:
    def __init__(self, plan: SweepPlan, argv: tuple[str, ...], view: View, command: tuple[str, ...]) -> None:
        self._plan = plan
        self._view = view
        self._command = command
        gpus = visible_gpus() if plan.execution.device in ("auto", "cuda") else []
        self._gpus = gpus if len(gpus) > 1 else []
        self._gpu_of: dict[int, str] = {}
        self._running: list[Child] = []
        self._record = self._prepare(argv)

    def run(self, stop: Stop) -> None:
        """Start, watch and reap until nothing is left to do, or all have stopped."""
        pending = deque(seed for seed in self._plan.seeds if seed.action != "skip")
        deadline: float | None = None
        try:
            while self._running or (pending and not stop):
                while pending and not stop and len(self._running) < self._plan.cfg.parallel:
                    seed = pending.popleft()
                    self._change(seed.seed, attempts=self._entry(seed.seed).attempts + 1)
                    self._start(seed.seed, "evaluate" if seed.action == "evaluate" else "train")
                for child in list(self._running):
                    if (code := child.poll()) is not None:
                        self._running.remove(child)
                        self._reap(child, code, stop)
                if stop and deadline is None:
                    deadline = time.monotonic() + self._plan.cfg.grace_s
                    self._stop_children()
                if deadline is not None and (time.monotonic() > deadline or len(stop.signals) > 1):
                    self._kill_children()
                self._view.refresh(self._record)
                time.sleep(POLL_S)
        finally:
            # Only after an error of our own: a full disk, an unreadable record.
            self._abandon(stop)

    def succeeded(self) -> bool:
        """Whether every seed of the plan is done."""
        done: tuple[SeedState, ...] = ("finished",) if self._plan.cfg.evaluate else ("finished", "trained")
        states = {entry.seed: entry.state for entry in self._record.seeds}
        return all(states[seed.seed] in done for seed in self._plan.seeds)

    def _prepare(self, argv: tuple[str, ...]) -> SweepRecord:
        """Write sweep.json and every seed's run.json, once no seed is held by a process of an earlier launch."""
        plan = self._plan
        active = [seed for seed in plan.seeds if seed.action != "skip"]
        with ExitStack() as locks:
            for seed in active:
                if seed.path.is_dir():
                    locks.enter_context(seed.run_dir.lock())
            remove_temporaries(plan.log_dir)
            record = self._initial_record(argv)
            write_record(plan.sweep_file, record)
            for seed in active:
                self._prepare_seed(seed, argv)
        return record

    def _prepare_seed(self, seed: SeedPlan, argv: tuple[str, ...]) -> None:
        plan = self._plan
        if seed.run_dir.exists():
            seed.run_dir.relaunch(seeds_planned=plan.planned, command=argv, execution=plan.execution)
            return
        RunDir.create(
            seed.path,
            plan.task,
            seed=seed.seed,
            seeds_planned=plan.planned,
            command=argv,
            overrides=plan.overrides,
            execution=plan.execution,
        )

    def _initial_record(self, argv: tuple[str, ...]) -> SweepRecord:
        plan, now = self._plan, datetime.now(UTC)
        earlier = read_record(plan.sweep_file, SweepRecord) if plan.sweep_file.exists() else None
        entries = {entry.seed: entry for entry in earlier.seeds} if earlier else {}
        for seed in plan.seeds:
            entry = entries.get(seed.seed, SeedEntry(seed=seed.seed))
            # sweep.json may be behind: a parent killed at once leaves a seed that finished later by itself.
            state = seed.run_dir.load().status if seed.action == "skip" else "planned"
            entries[seed.seed] = entry.replace(state=state, reason=None, exit_code=entry.exit_code)
        return SweepRecord(
            schema="genelab/sweep/1",
            task=plan.task.id,
            task_version=plan.task.task_version,
            config_sha256=plan.config_sha256,
            execution=plan.execution,
            command=argv,
            seeds=tuple(entries[seed] for seed in plan.planned),
            created_at=earlier.created_at if earlier else now,
            updated_at=now,
        )

    def _start(self, seed: int, phase: Phase) -> None:
        run_dir = self._run_dir(seed)
        env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self._plan.execution.threads))
        env["PYTHONUNBUFFERED"] = "1"
        if self._gpus:
            self._gpu_of.setdefault(seed, self._free_gpu())
            env["CUDA_VISIBLE_DEVICES"] = self._gpu_of[seed]
        self._change(seed, state=_RUNNING[phase], exit_code=None, reason=None)
        self._running.append(Child(seed, phase, [*self._command, phase, str(run_dir.path)], run_dir.train_log, env))

    def _free_gpu(self) -> str:
        in_use = [self._gpu_of[child.seed] for child in self._running]
        return min(self._gpus, key=in_use.count)

    def _reap(self, child: Child, code: int, stop: Stop) -> None:
        """Record the end of a child, and go on with its evaluation after a successful training."""
        run_dir = self._run_dir(child.seed)
        try:
            record = run_dir.load()
        except InputError as error:
            self._change(child.seed, state="crashed", exit_code=code, reason=f"{describe_exit(code)}; {error}")
            return
        if code == 0 and record.status == _DONE[child.phase]:
            self._change(child.seed, state=record.status, exit_code=code, reason=None)
            if child.phase == "train" and self._plan.cfg.evaluate and not stop:
                self._start(child.seed, "evaluate")
        elif code in INTERRUPTED_CODES:
            self._change(child.seed, state="interrupted", exit_code=code, reason=f"stopped while {_RUNNING[child.phase]}")
        elif code > 0 and record.failure is not None:
            reason = f"{record.failure.reason}: {record.failure.detail}"
            self._change(child.seed, state="failed", exit_code=code, reason=reason)
        else:
            self._reap_dead(child, code, run_dir, stop)

    def _reap_dead(self, child: Child, code: int, run_dir: RunDir, stop: Stop) -> None:
        last = child.last_line()
        what = "ended without a result" if code == 0 else describe_exit(code)
        detail = f"{what}; last line: {last}" if last else what
        end: AttemptEnd = "killed" if code < 0 else "crashed"
        if stop and code < 0:
            self._change(child.seed, state="interrupted", exit_code=code, reason=what)
        else:
            self._change(child.seed, state="crashed", exit_code=code, reason=detail)
        run_dir.mark_dead(end, None if stop and code < 0 else Failure(reason="crashed", detail=detail))

    def _stop_children(self) -> None:
        self._view.say(
            f"stopping: {len(self._running)} seed(s) have {self._plan.cfg.grace_s:g} s to save their state; "
            "a second signal kills them"
        )
        for child in self._running:
            child.stop()

    def _kill_children(self) -> None:
        for child in self._running:
            child.kill()

    def _abandon(self, stop: Stop) -> None:
        for child in self._running:
            child.stop()
        deadline, signals = time.monotonic() + self._plan.cfg.grace_s, len(stop.signals)
        while any(child.poll() is None for child in self._running):
            if time.monotonic() > deadline or len(stop.signals) > signals:
                self._kill_children()
            time.sleep(POLL_S)

    def _change(self, seed: int, **changes: Any) -> None:
        entries = tuple(e.replace(**changes) if e.seed == seed else e for e in self._record.seeds)
        self._record = self._record.replace(seeds=entries, updated_at=datetime.now(UTC))
        write_record(self._plan.sweep_file, self._record)
        self._view.refresh(self._record)

    def _entry(self, seed: int) -> SeedEntry:
        return next(entry for entry in self._record.seeds if entry.seed == seed)

    def _run_dir(self, seed: int) -> RunDir:
        return next(plan.run_dir for plan in self._plan.seeds if plan.seed == seed)


@contextmanager
def _signals() -> Generator[Stop]:
    """Collect SIGINT, SIGTERM and SIGHUP instead of dying of them."""
    stop = Stop()

    def note(signum: int, _frame: FrameType | None) -> None:
        stop.signals.append(signum)

    # One that is ignored stays so: that is what nohup asks for.
    caught = [s for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) != signal.SIG_IGN]
    old = {signum: signal.signal(signum, note) for signum in caught}
    try:
        yield stop
    finally:
        for signum, handler in old.items():
            signal.signal(signum, handler)
