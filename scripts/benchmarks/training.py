"""Time, memory and files of one seed: `genelab train` against a bare loop of rsl_rl over the same scene (bare.py)."""

import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

from benchmarks.common import MIB, SEED, parser, print_head, print_ratio, process_seconds
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.plan import seed_dir

LIMIT, GOAL = 1.10, 0.8
WARM_UP = 2
"""Iterations before the measured ones, in every process."""
IDLE = 0.9
"""Share of a core below which a process was disturbed."""
BARE = Path(__file__).with_name("bare.py")


@dataclass(frozen=True)
class SeedRun:
    """What one seed cost."""

    rows: list[dict[str, float]]
    """Per iteration: `wall_s` since the loop began, `collect_s`, `update_s`."""
    train_wall_s: float
    """Wall-clock of the training loop with logging and saves, s."""
    process_s: float
    """Wall-clock of the command, s."""
    cpu_s: float
    """CPU time of the command, s."""
    peak_memory_bytes: int
    """Largest resident memory of the training process, bytes."""
    files_bytes: tuple[int, int]
    """Size of the last checkpoint, and of what a resume needs."""
    episode_return: float | None
    """Mean return of the last 100 finished episodes of the stochastic policy."""


Sides = tuple[list[SeedRun], list[SeedRun]]


def train_genelab(
    path: Path, args: Namespace, iterations: int, seeds: Sequence[int] = (SEED,), parallel: int = 1
) -> tuple[list[RunDir], float, float]:
    """Train in `path` as one types it; returns the runs, and wall-clock and CPU time of the command, s."""
    options = {
        "--seeds": ",".join(map(str, seeds)),
        "--parallel": parallel,
        "--threads": args.threads,
        "--device": args.device,
        "--iterations": iterations,
        "--log-dir": path,
    }
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-P", "-m", "genelab", "train", args.task, "--no-eval", *words]
    wall_s, cpu_s = process_seconds(command, threads=args.threads)
    return [RunDir(seed_dir(path, seed)) for seed in seeds], wall_s, cpu_s


def by_genelab(path: Path, args: Namespace, iterations: int) -> SeedRun:
    """Train one seed by genelab."""
    (run_dir,), wall_s, cpu_s = train_genelab(path, args, iterations)
    timing = run_dir.load().timing
    assert timing is not None
    assert timing.peak_memory_bytes is not None
    rows = [json.loads(line) for line in run_dir.curve.read_text(encoding="utf-8").splitlines()]
    sizes = run_dir.final_checkpoint.stat().st_size, sum(each.stat().st_size for each in run_dir.resume.iterdir())
    return SeedRun(
        *(rows, timing.train_wall_s, wall_s, cpu_s, timing.peak_memory_bytes, sizes, rows[-1]["episode_return"])
    )


def by_bare(path: Path, args: Namespace, iterations: int) -> SeedRun:
    """Train one seed by the bare loop, whose only file holds weights, normaliser and optimiser."""
    path.mkdir()
    words = [args.task, *map(str, (SEED, iterations, args.threads)), args.device, str(path)]
    wall_s, cpu_s = process_seconds([sys.executable, str(BARE), *words], threads=args.threads)
    size = (path / f"model_{iterations - 1}.pt").stat().st_size
    report = json.loads((path / "report.json").read_text(encoding="utf-8"))
    return SeedRun(process_s=wall_s, cpu_s=cpu_s, files_bytes=(size, size), **report)


def mean_iteration(run: SeedRun) -> float:
    """Wall-clock of a measured iteration with its share of logging and saves, s."""
    return (run.train_wall_s - run.rows[WARM_UP - 1]["wall_s"]) / (len(run.rows) - WARM_UP)


def outside(run: SeedRun) -> float:
    """Start, build, slow first iterations and end: the command less its iterations at their mean, s."""
    return run.process_s - len(run.rows) * mean_iteration(run)


def iteration_times(runs: Sequence[SeedRun], column: str) -> list[float]:
    """A column of all measured iterations, s."""
    if column != "total":
        return [row[column] for run in runs for row in run.rows[WARM_UP:]]
    return [b["wall_s"] - a["wall_s"] for run in runs for a, b in pairwise(run.rows[WARM_UP - 1 :])]


def report(sides: Sides, budget: int) -> float:
    """Print the table; returns the ratio of one seed's wall-clock."""

    def compare(name: str, value: Callable[[list[SeedRun]], float], unit: str = "s") -> float:
        ours, bare = (value(runs) for runs in sides)
        print_ratio(name, ours, bare, unit)
        return ours / bare

    def per_run(value: Callable[[SeedRun], float]) -> Callable[[list[SeedRun]], float]:
        return lambda runs: median(value(run) for run in runs)

    print_head("genelab", "bare")
    for name, column in (("collect", "collect_s"), ("update", "update_s"), ("iteration", "total")):
        compare(f"{name}, median", lambda runs, column=column: median(iteration_times(runs, column)))
    compare("iteration, mean with saves", lambda runs: fmean(mean_iteration(run) for run in runs))
    compare("start and end", per_run(outside))
    ratio = compare(
        f"one seed of {budget} iterations", per_run(lambda run: outside(run) + budget * mean_iteration(run))
    )
    compare("command, CPU time", per_run(lambda run: run.cpu_s))
    compare("peak memory", per_run(lambda run: run.peak_memory_bytes / MIB), "MiB")
    compare("checkpoint", per_run(lambda run: run.files_bytes[0] / MIB), "MiB")
    compare("resume state", per_run(lambda run: run.files_bytes[1] / MIB), "MiB")
    # So short a training proves little, but two tasks that differ would show.
    if all(run.episode_return is not None for runs in sides for run in runs):
        compare("return of last episodes", per_run(lambda run: run.episode_return or 0.0), "")
    return ratio


def main() -> int:
    """Measure, and return 1 if one seed takes longer than the limit allows."""
    args = parser(__doc__, iterations=48, repeats=3).parse_args()
    task = get_task(args.task)
    sides: Sides = ([], [])
    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as temporary:
        # The first round only fills the kernel caches.
        for number in range(args.repeats + 1):
            iterations = WARM_UP + args.iterations if number else 1
            for runs, train in zip(sides, (by_genelab, by_bare), strict=True):
                run = train(Path(temporary) / f"{train.__name__}_{number}", args, iterations)
                if number:
                    runs.append(run)
    print(
        f"{args.task}, {task.train.num_envs} environments, {args.device}, {args.threads} thread(s), "
        f"{args.repeats} x {args.iterations} iterations after {WARM_UP}"
    )
    ratio = report(sides, task.train.iterations)
    share = min(run.cpu_s / run.process_s for runs in sides for run in runs)
    if args.device == "cpu" and share < IDLE:
        print(f"warning: a command had {share:.0%} of a core only; measure again on an idle machine")
    print(
        f"limit {LIMIT}, goal {GOAL}: {'over the limit' if ratio > LIMIT else 'met' if ratio <= GOAL else 'in limit'}"
    )
    return int(ratio > LIMIT)
