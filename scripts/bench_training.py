"""Training time of one seed: genelab's worker against a bare loop of rsl_rl over the same scene (bench_bare.py)."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

from bench_common import MIB, SeedRun, parser, print_ratio, train_bare, train_genelab

from genelab.registry import get_task

LIMIT, GOAL = 1.10, 0.8
WARM_UP = 2
"""Iterations before the measured ones, in every process."""
IDLE = 0.9
"""Share of a core below which a process was disturbed."""

Sides = tuple[list[SeedRun], list[SeedRun]]


def mean_iteration(run: SeedRun) -> float:
    """Wall-clock of a measured iteration with its share of logging and saves, s."""
    return (run.train_wall_s - run.rows[WARM_UP - 1]["wall_s"]) / (len(run.rows) - WARM_UP)


def outside(run: SeedRun) -> float:
    """Start, build, slow first iterations and end: the process less its iterations at their mean, s."""
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

    print(f"{'':28}{'genelab':>10}{'bare':>10} {'':4}{'ratio':>8}")
    for name, column in (("collect", "collect_s"), ("update", "update_s"), ("iteration", "total")):
        compare(f"{name}, median", lambda runs, column=column: median(iteration_times(runs, column)))
    compare("iteration, mean with saves", lambda runs: fmean(mean_iteration(run) for run in runs))
    compare("start and end", per_run(outside))
    ratio = compare(
        f"one seed of {budget} iterations", per_run(lambda run: outside(run) + budget * mean_iteration(run))
    )
    compare("process, CPU time", per_run(lambda run: run.cpu_s))
    compare("process, wall-clock", per_run(lambda run: run.process_s))
    compare("peak memory", per_run(lambda run: run.peak_memory_bytes / MIB), "MiB")
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
            for runs, train in zip(sides, (train_genelab, train_bare), strict=True):
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
        print(f"warning: a process had {share:.0%} of a core only; measure again on an idle machine")
    print(
        f"limit {LIMIT}, goal {GOAL}: {'over the limit' if ratio > LIMIT else 'met' if ratio <= GOAL else 'in limit'}"
    )
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
