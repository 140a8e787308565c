"""Damages the files that genelab reads, thousands of times: every reader must refuse them or make sense of them."""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.robust.readers import Reader, World, readers

HANG_S = 20
"""Longest time for one file, s."""


def fuzz(reader: Reader, examples: int, *, derandomize: bool) -> Counter[str]:
    """Try so many damaged files; returns how many were refused and accepted. Raises what a reader let through."""
    found: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=derandomize,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        signal.alarm(HANG_S)
        found[reader.try_one(data.draw)] += 1
        signal.alarm(0)

    one()
    return found


def main() -> int:
    """Fuzz every reader and print a table; exit code 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="inputs over all readers (default: %(default)s)")
    parser.add_argument("--only", help="one reader, by name")
    parser.add_argument("--derandomize", action="store_true", help="the same inputs in every run")
    args = parser.parse_args()
    failed: list[str] = []
    total, begin = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="genelab-fuzz-") as temporary:
        chosen = {n: r for n, r in readers(World(Path(temporary))).items() if args.only in (None, n)}
        for name, reader in chosen.items():
            try:
                found = fuzz(reader, -(-args.examples // len(chosen)), derandomize=args.derandomize)
            except Exception as error:
                failed.append(name)
                for each in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
                    print(f"{name}: {type(each).__name__}: {str(each)[:500]}")
                if args.only:
                    raise
                continue
            total += found.total()
            print(f"{name:<20}{found['refused']:>8} refused{found['accepted']:>8} read to the end", flush=True)
    print(f"{total} inputs, {len(failed)} reader(s) failed, {time.monotonic() - begin:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
