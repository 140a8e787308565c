"""Three seeds by `genelab train`, two at a time against one after the other; their weights must be equal."""

import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from statistics import median

from bench_common import parser, print_ratio, process_seconds

from genelab.runs.run_dir import RunDir
from genelab.sweep.plan import seed_dir

SEEDS = (1, 2, 3)
PARALLEL = (2, 1)


def sweep(path: Path, args: Namespace, parallel: int, iterations: int) -> tuple[float, list[str]]:
    """Wall-clock of the command, s, and the weights digest of every seed."""
    options = {
        "--seeds": ",".join(map(str, SEEDS)),
        "--parallel": parallel,
        "--threads": args.threads,
        "--device": args.device,
        "--iterations": iterations,
        "--log-dir": path,
    }
    command = [sys.executable, "-m", "genelab", "train", args.task, "--no-eval"]
    command += [str(word) for option in options.items() for word in option]
    seconds, _ = process_seconds(command, args.threads, path.with_suffix(".log"))
    checkpoints = [RunDir(seed_dir(path, seed)).load().checkpoint for seed in SEEDS]
    return seconds, [checkpoint.weights_sha256 for checkpoint in checkpoints if checkpoint]


def main() -> int:
    """Measure, and return 1 if a seed's weights depend on how many seeds ran beside it."""
    args = parser(__doc__, iterations=20, repeats=1).parse_args()
    times: dict[int, list[float]] = {parallel: [] for parallel in PARALLEL}
    weights: set[tuple[str, ...]] = set()
    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as temporary:
        home = Path(temporary)
        # Only fills the kernel caches.
        sweep(home / "warm_up", args, 1, 1)
        for number in range(args.repeats):
            for parallel in PARALLEL if number % 2 == 0 else PARALLEL[::-1]:
                seconds, digests = sweep(home / f"parallel_{parallel}_{number}", args, parallel, args.iterations)
                times[parallel].append(seconds)
                weights.add(tuple(digests))
    print(
        f"{args.task}, {args.device}, {len(SEEDS)} seeds x {args.iterations} iterations, {args.threads} thread(s) each"
    )
    print(f"{'':28}" + "".join(f"{f'-P {parallel}':>10}" for parallel in PARALLEL) + f" {'':4}{'ratio':>8}")
    two, one = (median(times[parallel]) for parallel in PARALLEL)
    print_ratio("wall-clock", two, one, "s")
    equal = len(weights) == 1
    print(f"weights_sha256: {'equal' if equal else 'DIFFERENT'}")
    for seed, *digests in zip(SEEDS, *sorted(weights), strict=True):
        print(f"  seed {seed}: {' '.join(dict.fromkeys(digest[:16] for digest in digests))}")
    return int(not equal)


if __name__ == "__main__":
    sys.exit(main())
