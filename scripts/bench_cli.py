"""Start-up time of the command line, as a ratio to a bare interpreter: `python scripts/bench_cli.py [repeats]`."""

import statistics
import subprocess
import sys
import time

LIMIT_S = 0.35
BARE = ["-c", "pass"]
COMMANDS = [
    ["-m", "genelab", "--help"],
    ["-m", "genelab", "list"],
    ["-m", "genelab", "info", "GeneLab-Inverted-Pendulum-v1"],
]


def seconds(args: list[str]) -> float:
    """Wall-clock of one fresh interpreter, s."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main(repeats: int) -> None:
    """Print the medians. On a busy machine only the ratios mean anything."""
    lines = [BARE, *COMMANDS]
    # Interleaved, so that a busy moment of the machine hits all alike.
    rounds = [[seconds(args) for args in lines] for _ in range(repeats + 1)][1:]
    bare, *medians = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"bare interpreter: {bare:.3f} s, median of {repeats}; each command may take {LIMIT_S} s on an idle machine")
    for args, median in zip(COMMANDS, medians, strict=True):
        print(f"genelab {' '.join(args[2:]):40} {median:.3f} s   {median / bare:5.1f} x bare")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
