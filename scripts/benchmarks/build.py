"""Seconds from a fresh process to a scene that steps, cold (nothing compiled yet) and warm."""

import json
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from benchmarks.common import FRANKA, SEED, TASKS, UNITREE, parser

CHILD = """
import json, sys, time
begin = time.perf_counter()
from genelab.registry import get_task
from genelab.sim.make import make_engine, start
task = get_task(sys.argv[1])
session = start(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
ready = time.perf_counter()
sim = make_engine(task.env, int(sys.argv[5]), session)
built = time.perf_counter()
sim.step()
print(json.dumps([ready - begin, built - ready, time.perf_counter() - built]))
"""


def child(args: Namespace, cache: Path) -> list[float]:
    """Imports and start, build with its checks, first step, s, in a process with this cache."""
    # Genesis and its compiler keep what they made below these.
    env = os.environ | {"XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    words = (args.task, SEED, args.device, args.threads, args.num_envs)
    command = [sys.executable, "-c", CHILD, *map(str, words)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stderr}\nexit code {done.returncode}")
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a line for the cold process and one for each warm one."""
    options = parser(__doc__, repeats=2, tasks=(*TASKS, FRANKA, *UNITREE))
    options.add_argument("--num-envs", type=int, default=256, help="parallel environments")
    args = options.parse_args()
    print(f"{args.task}, {args.num_envs} environments, {args.device}, {args.threads} thread(s)")
    print(f"{'':12}{'start':>10}{'build':>10}{'first step':>12}{'all':>10}")
    with tempfile.TemporaryDirectory() as cache:
        for number in range(1 + args.repeats):
            parts = child(args, Path(cache))
            name = "warm" if number else "cold"
            print(f"{name:12}{parts[0]:10.1f}{parts[1]:10.1f}{parts[2]:12.1f}{sum(parts):10.1f} s")
