"""An evaluation of 100 episodes of the single pendulum, in CPU time, as a ratio to `import genesis` alone."""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.common import HERE, in_turns, process_seconds

CHECKPOINT = "GeneLab-Inverted-Pendulum-v1/*/seed_1/model_final.pt"


def main() -> None:
    """Print both sides and their ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--repeats", type=int, default=3, help="rounds, interleaved, behind one that fills caches")
    args = options.parse_args()
    checkpoint = max((HERE / "reference").glob(CHECKPOINT))

    def cpu_s(words: list[str]) -> float:
        return process_seconds([sys.executable, "-P", *words], checkout=HERE)[1]

    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "eval.json")
        sides = {
            "bare": partial(cpu_s, ["-c", "import genesis"]),
            "eval": partial(
                cpu_s, ["-m", "genelab", "eval", checkpoint.parents[2].name, str(checkpoint), "--out", out]
            ),
        }
        medians = in_turns(sides, args.repeats, warm_up=1)
    ratio = medians["eval"] / medians["bare"]
    print(f"import genesis {medians['bare']:.1f} s, genelab eval {medians['eval']:.1f} s, ratio {ratio:.2f} (goal 1.5)")
