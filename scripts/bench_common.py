"""What the benchmarks share: one seed by genelab or by the bare loop in a fresh process, and a line of ratios."""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors.local import WORKER, tied

TASKS = ("GeneLab-Inverted-Pendulum-v1", "GeneLab-Double-Inverted-Pendulum-v1")
FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
UNITREE = (
    "Genelab-Velocity-Flat-Unitree-Go1-v0",
    "Genelab-Velocity-Rough-Unitree-Go1-v0",
    "Genelab-Velocity-Flat-Unitree-Go2W-v0",
)
SEED = 1
BARE = Path(__file__).with_name("bench_bare.py")
MIB = 1024 * 1024


@dataclass(frozen=True)
class SeedRun:
    """What one process that trained one seed cost."""

    rows: list[dict[str, float]]
    """Per iteration: `wall_s` since the loop began, `collect_s`, `update_s`."""
    train_wall_s: float
    """Wall-clock of the training loop with logging and saves, s."""
    process_s: float
    """Wall-clock of the process, s."""
    cpu_s: float
    """CPU time of the process, s."""
    peak_memory_bytes: int
    """Largest resident memory of the process, bytes."""
    episode_return: float | None
    """Mean return of the last 100 finished episodes of the stochastic policy."""


def parser(
    doc: str | None, *, repeats: int, iterations: int | None = None, tasks: Sequence[str] = TASKS
) -> argparse.ArgumentParser:
    """Options of every benchmark; `--iterations` for those that train."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--task", default=tasks[0], choices=tasks, help="task identifier")
    options.add_argument("--threads", type=int, default=1, help="CPU threads per process")
    options.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="device")
    options.add_argument("--repeats", type=int, default=repeats, help="rounds, interleaved")
    if iterations is not None:
        options.add_argument("--iterations", type=int, default=iterations, help="iterations per seed")
    return options


def train_genelab(path: Path, args: argparse.Namespace, iterations: int) -> SeedRun:
    """Train one seed in `path` by genelab's own worker, as the launcher starts it."""
    task, overrides = apply_overrides(get_task(args.task), [f"train.iterations={iterations}"])
    run_dir = RunDir.create(
        path,
        task,
        seed=SEED,
        seeds_planned=(SEED,),
        command=("benchmark",),
        overrides=overrides,
        execution=ExecutionCfg(device=args.device, threads=args.threads),
    )
    wall_s, cpu_s = process_seconds([*WORKER, "train", str(path)], args.threads, run_dir.train_log)
    record = run_dir.load()
    assert record.timing is not None
    assert record.timing.peak_memory_bytes is not None
    rows = [json.loads(line) for line in run_dir.curve.read_text(encoding="utf-8").splitlines()]
    return SeedRun(
        rows, record.timing.train_wall_s, wall_s, cpu_s, record.timing.peak_memory_bytes, rows[-1]["episode_return"]
    )


def train_bare(path: Path, args: argparse.Namespace, iterations: int) -> SeedRun:
    """Train one seed in `path` by the bare loop."""
    path.mkdir()
    numbers = [str(number) for number in (SEED, iterations, args.threads)]
    command = [sys.executable, str(BARE), args.task, *numbers, args.device, str(path)]
    wall_s, cpu_s = process_seconds(command, args.threads, path / "train.log")
    report: dict[str, Any] = json.loads((path / "report.json").read_text(encoding="utf-8"))
    return SeedRun(process_s=wall_s, cpu_s=cpu_s, **report)


def process_seconds(command: Sequence[str], threads: int, log: Path) -> tuple[float, float]:
    """Wall-clock and CPU time, s, of a process started as the launcher starts a worker. Exits if it fails."""
    env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)) | {"PYTHONUNBUFFERED": "1"}
    with log.open("ab") as output:
        begin, cpu_before = time.perf_counter(), _children_cpu_s()
        ended = subprocess.run(
            tied(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env
        )
        spent = time.perf_counter() - begin, _children_cpu_s() - cpu_before
    if ended.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        sys.exit(f"{tail}\n{' '.join(command)}: exit code {ended.returncode}")
    return spent


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_ratio(name: str, ours: float, other: float, unit: str) -> None:
    """One line of a table: two values and the first over the second."""
    print(f"{name:28}{ours:10.3f}{other:10.3f} {unit:4}{ours / other:8.3f}")
