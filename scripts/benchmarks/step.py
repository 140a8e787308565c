"""Control steps of a task beside another checkout of genelab, genesis-forge (same simulator) and mjlab, a process each.

All have their environment built, then take turns, so that a drift of the machine hits them alike.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import FRANKA, HERE, TASKS, UNITREE, environment, in_turns, parser
from genelab.config.base import resolve_asset
from genelab.registry import get_task

PEERS = Path(__file__).with_name("peers")
GO1, *_ = UNITREE
WARM_UP_STEPS = 3


class Peer:
    """A process with a built environment, which does nothing until it is asked to step."""

    def __init__(self, name: str, python: str, script: str, words: Sequence[object], threads: int, path: Path) -> None:
        """Start it, and wait until its environment stands."""
        read, write = os.pipe()
        command = [python, str(PEERS / script), str(write), str(threads), *map(str, words)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            text=True,
            pass_fds=[write],
            env=environment(threads, path),
        )
        os.close(write)
        self._answers = os.fdopen(read)
        self.name = f"{name} {self._answer()}".strip()

    def _answer(self) -> str | float:
        line = self._answers.readline()
        if not line:
            sys.exit(f"{self._process.args}: ended with exit code {self._process.wait()}")
        return json.loads(line)

    def seconds(self, steps: int) -> float:
        """CPU time of a control step, the mean of so many, s."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return float(self._answer()) / steps

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Print a line per side."""
    options = parser(__doc__, repeats=10, tasks=(*TASKS, FRANKA, *UNITREE))
    options.add_argument("--num-envs", type=int, default=256, help="parallel environments")
    options.add_argument("--block-s", type=float, default=3.0, help="CPU time of a block, s, at least two steps")
    options.add_argument("--against", type=Path, metavar="PATH", help="another checkout of genelab")
    options.add_argument("--mujoco", action="store_true", help="the task in MuJoCo too")
    options.add_argument("--mjlab", metavar="PYTHON", help="Python of an environment with mjlab; steps the Go1")
    options.add_argument("--genesis-forge", metavar="PYTHON", help="Python of one with genesis-forge; steps the Go1")
    args = options.parse_args()
    words = (args.num_envs, args.task)
    sides = [("genelab", sys.executable, "with_genelab.py", words, HERE)]
    if args.against:
        path = args.against.resolve()
        sides.append((str(path), sys.executable, "with_genelab.py", words, path))
    if args.mujoco:
        sides.append(("genelab in MuJoCo", sys.executable, "with_genelab.py", (*words, "mujoco"), HERE))
    if args.genesis_forge:
        model = resolve_asset(get_task(GO1).env.robot.model)
        sides.append(("", args.genesis_forge, "with_genesis_forge.py", (args.num_envs, model), HERE))
    if args.mjlab:
        sides += [("", args.mjlab, "with_mjlab.py", (args.num_envs, kind), HERE) for kind in ("registered", "equal")]
    if (args.mjlab or args.genesis_forge) and args.task != GO1:
        options.error(f"--mjlab and --genesis-forge step {GO1}: give it as --task")
    peers = [Peer(*side[:4], args.threads, side[4]) for side in sides]
    # The slow ones get fewer steps.
    steps = [max(2, round(args.block_s / peer.seconds(WARM_UP_STEPS))) for peer in peers]
    turns = {str(k): lambda k=k: peers[k].seconds(steps[k]) for k in range(len(peers))}
    medians = list(in_turns(turns, args.repeats).values())
    print(f"{args.task}, {args.num_envs} environments, {args.threads} thread(s), {args.repeats} rounds")
    for peer, each in zip(peers, medians, strict=True):
        print(f"{peer.name:40}{each * 1e3:12.2f} ms of the processor   genelab takes {medians[0] / each:.3f} of it")
        peer.end()
