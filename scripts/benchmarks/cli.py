"""Start-up of the command line in CPU time, as a ratio to a bare interpreter and to another checkout."""

import argparse
import sys
from functools import partial
from pathlib import Path

from benchmarks.common import HERE, in_turns, process_seconds

BARE = ("-c", "pass")
COMMANDS = (
    ("-m", "genelab", "--help"),
    ("-m", "genelab", "list"),
    ("-m", "genelab", "info", "GeneLab-Inverted-Pendulum-v1"),
)


def cpu_s(words: tuple[str, ...], checkout: Path) -> float:
    """CPU time of one fresh interpreter, s. Without -P, the current folder would come before the checkout."""
    return process_seconds([sys.executable, "-P", *words], checkout=checkout)[1]


def main() -> None:
    """Print a line per command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--repeats", type=int, default=9, help="rounds, interleaved")
    options.add_argument("--against", type=Path, metavar="PATH", help="another checkout of genelab")
    args = options.parse_args()
    checkouts = [HERE, *([args.against.resolve()] if args.against else [])]
    sides = {f"{path} {' '.join(words)}": partial(cpu_s, words, path) for words in COMMANDS for path in checkouts}
    medians = in_turns({"bare": partial(cpu_s, BARE, HERE), **sides}, args.repeats)
    bare = medians.pop("bare")
    print(f"bare interpreter {bare * 1e3:.0f} ms of the processor, median of {args.repeats}")
    for words in COMMANDS:
        ours, *other = (medians[f"{path} {' '.join(words)}"] for path in checkouts)
        against = f", {ours / other[0]:.3f} x {checkouts[1]}" if other else ""
        print(f"{' '.join(words[1:]):40} {ours * 1e3:6.0f} ms, {ours / bare:5.1f} x bare{against}")
