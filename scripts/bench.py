"""Benchmarks of genelab: `python scripts/bench.py CASE [options]`; see docs/design/benchmarks.md."""

import importlib
import sys

CASES = (
    "cli",
    "evaluation",
    "step",
    "env",
    "vector",
    "engines",
    "build",
    "training",
    "sweep",
    "guards",
    "sac",
    "replay",
    "scale",
)


def main() -> int:
    """Run the case that the first argument names, with the others as its options."""
    if len(sys.argv) < 2 or sys.argv[1] not in CASES:
        print(f"usage: {sys.argv[0]} {{{','.join(CASES)}}} [options]", file=sys.stderr)
        return 2
    case = sys.argv.pop(1)
    sys.argv[0] += f" {case}"
    return importlib.import_module(f"benchmarks.{case}").main() or 0


if __name__ == "__main__":
    sys.exit(main())
