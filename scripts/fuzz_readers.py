"""Damages the files that genelab reads, thousands of times: every reader must refuse them or make sense of them."""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.robust.readers import Reader, World, readers

HANG_S = 20
"""Longest time for one file, s."""


# No Exception: a reader that takes any for damage would hide it.
class HangError(BaseException):
    """A reader took longer for a file than it may."""


@contextmanager
def no_longer_than(seconds: int) -> Generator[None]:
    """Raise HangError out of what takes longer, s. Not out of a single call into C; see `main`."""

    def hang(*_: object) -> None:
        raise HangError(f"longer than {seconds} s for one file")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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
        with no_longer_than(HANG_S):
            found[reader.try_one(data.draw)] += 1

    one()
    return found


def main() -> int:
    """Fuzz every reader and print a table; exit code 1 if one failed, or fewer inputs were tried than asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="inputs over all readers (default: %(default)s)")
    parser.add_argument("--only", help="one reader, by name")
    parser.add_argument("--derandomize", action="store_true", help="the same inputs in every run")
    args = parser.parse_args()
    failed: list[str] = []
    total, begin = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="genelab-fuzz-") as temporary:
        chosen = {n: r for n, r in readers(World(Path(temporary))).items() if args.only in (None, n)}
        if not chosen:
            parser.error(f"--only {args.only}: there is no such reader")
        for name, reader in chosen.items():
            # Before it is tried: whatever ends the process, its name stands there.
            print(f"{name:<20}", end="", flush=True)
            try:
                found = fuzz(reader, -(-args.examples // len(chosen)), derandomize=args.derandomize)
            except (Exception, HangError) as error:
                failed.append(name)
                for each in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
                    print(f"  {type(each).__name__}: {str(each)[:500]}", flush=True)
                if args.only:
                    raise
                continue
            total += found.total()
            print(f"{found['refused']:>8} refused{found['accepted']:>8} read to the end", flush=True)
    print(f"{total} inputs, {len(failed)} reader(s) failed, {time.monotonic() - begin:.0f} s")
    if total < args.examples and not failed:
        print(f"too few inputs: {total}, must be at least {args.examples}")
    return 1 if failed or total < args.examples else 0


if __name__ == "__main__":
    sys.exit(main())
