"""What the benchmarks share: their options, a clock, turns, a line of ratios, and processes whose cost is known."""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import torch

TASKS = ("GeneLab-Inverted-Pendulum-v1", "GeneLab-Double-Inverted-Pendulum-v1")
FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
UNITREE = (
    "Genelab-Velocity-Flat-Unitree-Go1-v0",
    "Genelab-Velocity-Rough-Unitree-Go1-v0",
    "Genelab-Velocity-Flat-Unitree-Go2W-v0",
)
SEED = 1
ACTION_STD = 0.1
"""Of the random actions: so small that no pole reaches its stop in a few steps, where the solver has more to do."""
MIB = 1024 * 1024
HERE = Path(__file__).parents[2]
"""This checkout."""


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


def seconds(function: Callable[[], object], device: str = "cpu") -> float:
    """What a call costs, s: processor time of this process on a CPU, wall-clock until a GPU is done."""
    if device == "cpu":
        begin = time.process_time()
        function()
        return time.process_time() - begin
    begin = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def in_turns(sides: Mapping[str, Callable[[], float]], repeats: int, *, warm_up: int = 1) -> dict[str, float]:
    """Median of what each side returns, over rounds in which every side has one turn; the first rounds do not count."""
    rounds = [{name: side() for name, side in sides.items()} for _ in range(warm_up + repeats)][warm_up:]
    return {name: median(row[name] for row in rounds) for name in sides}


def process_seconds(
    command: Sequence[str], *, threads: int = 1, checkout: Path = HERE, log: Path | None = None
) -> tuple[float, float]:
    """Wall-clock and CPU time, s, of a process with the code of a checkout. Exits if it fails."""
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    env = environment(threads, checkout)
    ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if log is not None:
        log.write_bytes(ended.stdout)
    if ended.returncode != 0:
        sys.exit(f"{ended.stdout.decode(errors='replace')}\n{' '.join(command)}: exit code {ended.returncode}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu_s


def environment(threads: int, checkout: Path = HERE) -> dict[str, str]:
    """Variables of a process that imports a checkout and computes on so many threads."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "QD_NUM_THREADS", "TI_NUM_THREADS")
    paths = os.pathsep.join((str(checkout), str(checkout / "tasks")))
    return {**os.environ, **dict.fromkeys(counts, str(threads)), "PYTHONPATH": paths}


def print_head(*names: str) -> None:
    """The head of a table of ratios."""
    print(f"{'':28}" + "".join(f"{name:>10}" for name in names) + f" {'':4}{'ratio':>8}")


def print_ratio(name: str, ours: float, other: float, unit: str) -> None:
    """One line of a table: two values and the first over the second."""
    print(f"{name:28}{ours:10.3f}{other:10.3f} {unit:4}{ours / other:8.3f}")
