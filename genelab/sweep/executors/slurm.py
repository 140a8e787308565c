"""Runs the seeds of a sweep as an array of Slurm jobs, in directories that all machines share.

Not an executor of the launcher: the queue may take days, and nobody waits. `submit` makes the directories and hands two
jobs to Slurm: the array, and one that takes results in when the array has ended.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from genelab.config.run import ExecutorCfg
from genelab.errors import GenelabError, InputError, RunError
from genelab.records import names
from genelab.records.files import read_record
from genelab.records.run import RunRecord
from genelab.records.sweep import SeedState, SweepRecord
from genelab.runs.files import disk_errors, write_atomic, write_record
from genelab.runs.lock import locked, wait_until_free
from genelab.runs.run_dir import RunDir
from genelab.sweep.book import Book
from genelab.sweep.executors import Phase
from genelab.sweep.executors.local import LocalExecutor, module_path
from genelab.sweep.launcher import recorded
from genelab.sweep.plan import SweepPlan, seed_dir
from genelab.sweep.stop import stop_requests
from genelab.sweep.summary import describe_evaluation
from genelab.worker.stop import STOPPED

SAVE_S = 120
"""Seconds before the time limit at which Slurm warns a job, so that it saves its state and queues again."""
ORPHAN_S = 180.0
"""Longest wait for a seed's lock, s. A network file system keeps that of a machine that vanished for a while."""
JOBS, ARRAY, COLLECT = "slurm.jobs", "slurm.sh", "slurm-collect.sh"
"""Files in the directory of the sweep: numbers of the jobs, and their scripts."""

_STATES: dict[str, SeedState] = {"stage_done": "interrupted", "training": "interrupted", "evaluating": "interrupted"}
"""What a sweep calls a run that no process works on; the other words are the same in both."""


def scripts(plan: SweepPlan, cfg: ExecutorCfg) -> dict[str, str]:
    """The batch scripts of a launch, by file name.

    Raises:
        InputError: if a seed is to have a part of a GPU, or a certain one.
    """
    if cfg.gpus not in (None, 0.0, 1.0):
        raise InputError(f"--gpus {cfg.gpus:g}: Slurm gives a job whole GPUs; write 0 or 1")
    if plan.execution.device.startswith("cuda:"):
        raise InputError(f"--device {plan.execution.device}: Slurm chooses the GPU of a job; write --device cuda")
    folder = plan.log_dir.absolute()
    seeds = [str(seed.seed) for seed in plan.seeds if seed.action != "skip"]
    gpu = cfg.gpus == 1.0 or (cfg.gpus is None and plan.execution.device == "cuda")
    options = [
        f"--job-name={plan.task.id}",
        f"--array=0-{len(seeds) - 1}%{plan.cfg.parallel}",
        f"--ntasks=1 --cpus-per-task={plan.execution.threads}",
        *(["--gres=gpu:1"] if gpu else []),
        f"--requeue --open-mode=append --signal=B:USR1@{SAVE_S}",
        f"--output={shlex.quote(str(folder / 'slurm-%a.log'))}",
    ]
    phases = "all" if plan.cfg.evaluate else "train"
    array = [
        *(f"#SBATCH {option}" for option in options),
        f"seeds=({' '.join(seeds)})",
        f'{_module("run")} {shlex.quote(str(folder))} "${{seeds[$SLURM_ARRAY_TASK_ID]}}" {phases}',
    ]
    collecting = [
        f"#SBATCH --job-name={plan.task.id}-collect --ntasks=1 --cpus-per-task=1",
        f"#SBATCH --output={shlex.quote(str(folder / 'slurm-collect.log'))}",
        f"{_module('collect')} {shlex.quote(str(folder))}",
    ]
    return {name: "\n".join(("#!/bin/bash", *lines, "")) for name, lines in ((ARRAY, array), (COLLECT, collecting))}


def submit(plan: SweepPlan, argv: Sequence[str], cfg: ExecutorCfg) -> int:
    """Make the directories of the seeds and queue what is left to do. Returns the exit code.

    Raises:
        InputError: if there is no Slurm, the directory is in use or has jobs in the queue, or as `scripts`.
        RunError: if Slurm refuses a job, or the disk is full.
    """
    if shutil.which("sbatch") is None:
        raise InputError("--executor slurm: there is no sbatch on this machine; --dry-run shows what it would get")
    if all(seed.action == "skip" for seed in plan.seeds):
        return collect(plan.log_dir)
    texts = scripts(plan, cfg)
    with disk_errors(plan.log_dir):
        plan.log_dir.mkdir(parents=True, exist_ok=True)
    with locked(plan.log_dir):
        _require_none_queued(plan.log_dir)
        Book(plan, recorded(argv, plan.log_dir))
        for name, text in texts.items():
            write_atomic(plan.log_dir / name, text)
        array = _sbatch(str(plan.log_dir / ARRAY))
        write_atomic(plan.log_dir / JOBS, f"{array}\n")
        after = _sbatch(f"--dependency=afterany:{array}", str(plan.log_dir / COLLECT))
        write_atomic(plan.log_dir / JOBS, f"{array}\n{after}\n")
    click.echo(f"queued     job {array}: one task for each seed; job {after} takes the results in")
    click.echo(f"directory  {plan.log_dir}\nThe same command shows the results, or queues what is not done.")
    return 0


def run(run_dir: RunDir, evaluate: bool) -> int:
    """Train a seed, all its stages, and evaluate it, in a job of the array. Returns the exit code.

    Before the time limit it saves the state and queues the job again. A job that is cancelled saves too, and ends.
    """
    wait_until_free(run_dir.path, ORPHAN_S, click.echo)
    executor = LocalExecutor()
    with stop_requests() as stop:
        while (phase := _next_phase(record := run_dir.load(), evaluate)) is not None:
            job, asked = executor.start(phase, run_dir, record.execution.requested), False
            while (code := job.poll()) is None:
                if stop and not asked:
                    job.stop()
                    asked = True
                time.sleep(0.1)
            if stop and _next_phase(run_dir.load(), evaluate) is not None:
                if stop.signum == signal.SIGUSR1:
                    _requeue()
                return STOPPED
            if code != 0:
                click.echo(f"seed {record.seed}: {phase} ended with {code}: {job.last_line()}", err=True)
                return code if code > 0 else 128 - code
    return 0


def collect(log_dir: Path) -> int:
    """Bring sweep.json up to what the seeds left, and say it. Returns 0 if all are done, else 1."""
    with locked(log_dir):
        sweep = read_record(log_dir / names.SWEEP, SweepRecord)
        found = [RunDir(seed_dir(log_dir, seed)) for seed in sweep.seeds_planned]
        entries = []
        for run_dir, entry in zip(found, sweep.seeds, strict=True):
            if not run_dir.exists():
                entries.append(entry)
                continue
            with run_dir.lock():
                record = run_dir.load()
                if record.status in ("training", "evaluating"):
                    record = run_dir.mark_dead("killed", None)
            state: SeedState = _STATES.get(record.status, record.status)  # type: ignore[arg-type]
            reason = f"{record.failure.reason}: {record.failure.detail}" if record.failure else None
            entries.append(entry.replace(state=state, reason=reason, attempts=len(record.attempts)))
        write_record(log_dir / names.SWEEP, sweep.replace(seeds=tuple(entries)))
    for run_dir, entry in zip(found, entries, strict=True):
        told = describe_evaluation(run_dir.eval_file) if entry.state == "finished" else entry.reason
        click.echo(f"seed {entry.seed}: {entry.state}{f', {told}' if told else ''}")
    return 0 if all(entry.state in ("finished", "trained") for entry in entries) else 1


def _next_phase(record: RunRecord, evaluate: bool) -> Phase | None:
    if record.checkpoint is None:
        return "train"
    return "evaluate" if evaluate and record.status != "finished" else None


def _module(what: str) -> str:
    path = f"PYTHONPATH={shlex.quote(module_path())} " if module_path() else ""
    # Slurm signals the batch script's process: it becomes Python's.
    return f"exec env {path}{shlex.quote(sys.executable)} -P -m genelab.sweep.executors.slurm {what}"


def _sbatch(*arguments: str) -> str:
    """Queue a job and return its number."""
    return _slurm("sbatch", "--parsable", *arguments).partition(";")[0].strip()


def _requeue() -> None:
    _slurm("scontrol", "requeue", f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}")


def _require_none_queued(log_dir: Path) -> None:
    jobs = (log_dir / JOBS).read_text().split() if (log_dir / JOBS).exists() else []
    for job in jobs:
        # Slurm forgets jobs that have ended, and says so with an error.
        known = subprocess.run(["squeue", "--noheader", "--jobs", job], capture_output=True, text=True, check=False)
        if known.stdout.strip():
            raise InputError(f"'{log_dir}' has job {job} in the queue of Slurm; wait for its end, or scancel {job}")


def _slurm(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RunError(f"{command[0]}: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")
    return done.stdout


def main(argv: Sequence[str]) -> int:
    """What the scripts call: `run LOG_DIR SEED all|train` and `collect LOG_DIR`."""
    what, log_dir = argv[0], Path(argv[1])
    try:
        if what == "collect":
            return collect(log_dir)
        return run(RunDir(seed_dir(log_dir, int(argv[2]))), evaluate=argv[3] == "all")
    except GenelabError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
