"""Three seeds by `genelab train`, two at a time against one after the other; their weights must be equal."""

import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path

from benchmarks.common import in_turns, parser, print_head, print_ratio
from benchmarks.training import train_genelab

SEEDS = (1, 2, 3)


def main() -> int:
    """Measure, and return 1 if a seed's weights depend on how many seeds ran beside it."""
    args = parser(__doc__, iterations=20, repeats=1).parse_args()
    weights: set[tuple[str, ...]] = set()

    def sweep(home: str, args: Namespace, parallel: int) -> float:
        with tempfile.TemporaryDirectory(dir=home) as path:
            runs, wall_s, _ = train_genelab(Path(path) / "sweep", args, args.iterations, SEEDS, parallel)
            weights.add(tuple(str(run.load().checkpoint) for run in runs))
        return wall_s

    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as home:
        sides = {"-P 2": partial(sweep, home, args, 2), "-P 1": partial(sweep, home, args, 1)}
        # The first round fills the kernel caches.
        medians = in_turns(sides, args.repeats)
    print(
        f"{args.task}, {args.device}, {len(SEEDS)} seeds x {args.iterations} iterations, {args.threads} thread(s) each"
    )
    print_head(*medians)
    print_ratio("wall-clock", *medians.values(), "s")
    print(f"weights: {'equal' if len(weights) == 1 else 'DIFFERENT'}")
    return int(len(weights) != 1)
