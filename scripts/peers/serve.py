"""How a peer answers `bench_peers.py`: builds its environment, then steps it as often as it is asked to."""

import json
import os
import sys
import time
from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor], object]


def serve(name: str, version: str, num_actions: int, num_envs: int, step: Step) -> None:
    """Answer every line of the standard input, a number of control steps, with the seconds that they took.

    Args:
        name: of the library.
        version: of the library.
        num_actions: width of an action.
        num_envs: parallel environments.
        step: one control step of all environments. Shape of its argument: (num_envs, num_actions).
    """
    # Genesis and Warp print on the standard output what is no answer.
    answers = os.fdopen(int(sys.argv[2]), "w")
    generator = torch.Generator().manual_seed(1)
    print(json.dumps({"name": name, "version": version}), file=answers, flush=True)
    for line in sys.stdin:
        actions = [0.1 * torch.randn(num_envs, num_actions, generator=generator) for _ in range(int(line))]
        begin = time.perf_counter()
        with torch.inference_mode():
            for action in actions:
                step(action)
        print(json.dumps(time.perf_counter() - begin), file=answers, flush=True)
