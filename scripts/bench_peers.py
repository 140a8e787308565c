"""Control steps of the Go1 on flat ground: genelab, genesis-forge (same simulator) and mjlab, a process each."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from genelab.config.base import resolve_asset
from genelab.registry import get_task

PEERS = Path(__file__).with_name("peers")
TASK = "Genelab-Velocity-Flat-Unitree-Go1-v0"
WARM_UP_STEPS = 3


class Peer:
    """A process with a built environment, which does nothing until it is asked to step."""

    def __init__(self, script: str, python: str, words: Sequence[str], num_envs: int, threads: int) -> None:
        """Start it, and wait until its environment stands."""
        read, write = os.pipe()
        counted = dict.fromkeys(("OMP_NUM_THREADS", "QD_NUM_THREADS", "TI_NUM_THREADS"), str(threads))
        command = [python, str(PEERS / script), str(num_envs), str(write), str(threads), *words]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=sys.stderr, text=True, pass_fds=[write], env=os.environ | counted
        )
        os.close(write)
        self._answers = os.fdopen(read)
        told = self._answer()
        assert isinstance(told, dict)
        self.name = f"{told['name']} {told['version']}"

    def _answer(self) -> object:
        line = self._answers.readline()
        if not line:
            sys.exit(f"{self._process.args}: ended with exit code {self._process.wait()}")
        return json.loads(line)

    def seconds(self, steps: int) -> float:
        """Wall-clock of so many control steps, s."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        found = self._answer()
        assert isinstance(found, float)
        return found

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main(args: argparse.Namespace) -> None:
    """Print a line per library."""
    model = str(resolve_asset(get_task(TASK).env.robot.model))
    programs = [("with_genelab.py", sys.executable, ())]
    if args.genesis_forge:
        programs.append(("with_genesis_forge.py", args.genesis_forge, (model,)))
    if args.mjlab:
        programs += [("with_mjlab.py", args.mjlab, (kind,)) for kind in ("registered", "equal")]
    peers = [Peer(script, python, words, args.num_envs, args.threads) for script, python, words in programs]
    # The slow ones get fewer steps, and all of them take turns.
    once = [peer.seconds(WARM_UP_STEPS) / WARM_UP_STEPS for peer in peers]
    steps = [max(2, round(args.block_s / seconds)) for seconds in once]
    rounds = [
        [peer.seconds(count) / count for peer, count in zip(peers, steps, strict=True)] for _ in range(args.repeats)
    ]
    print(f"{TASK}, {args.num_envs} environments, {args.threads} thread(s), {args.repeats} rounds")
    mine = median(row[0] for row in rounds)
    for k, (peer, (_, _, words)) in enumerate(zip(peers, programs, strict=True)):
        seconds = median(row[k] for row in rounds)
        kind = " with 10 steps of 2 ms" if words[:1] == ("equal",) else ""
        rate = args.num_envs / seconds
        print(f"{peer.name + kind:40}{seconds * 1e3:12.1f} ms{rate:12.0f} steps/s   genelab is {seconds / mine:.2f} x")
        peer.end()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--mjlab", help="Python of an environment with mjlab")
    options.add_argument("--genesis-forge", help="Python of an environment with genesis-forge")
    options.add_argument("--num-envs", type=int, default=256, help="parallel environments")
    options.add_argument("--threads", type=int, default=1, help="CPU threads per process")
    options.add_argument("--repeats", type=int, default=5, help="rounds, interleaved")
    options.add_argument("--block-s", type=float, default=10.0, help="wall-clock of a block, s, at least two steps")
    main(options.parse_args())
