"""How a side of `bench.py step` answers: builds its environment, then steps it as often as it is asked to."""

import json
import os
import sys
import time
from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor], object]


def arguments() -> tuple[int, int, list[str]]:
    """Threads, parallel environments, and what else the side was told."""
    return int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]


def serve(version: str, num_actions: int, num_envs: int, step: Step) -> None:
    """Answer every line of the standard input, a number of control steps, with the CPU time that they took, s.

    Args:
        version: name and version of the library.
        num_actions: width of an action.
        num_envs: parallel environments.
        step: one control step of all environments. Shape of its argument: (num_envs, num_actions).
    """
    # Genesis and Warp print on the standard output what is no answer.
    answers = os.fdopen(int(sys.argv[1]), "w")
    generator = torch.Generator().manual_seed(1)
    print(json.dumps(version), file=answers, flush=True)
    for line in sys.stdin:
        actions = [0.1 * torch.randn(num_envs, num_actions, generator=generator) for _ in range(int(line))]
        begin = time.process_time()
        with torch.inference_mode():
            for action in actions:
                step(action)
        print(json.dumps(time.process_time() - begin), file=answers, flush=True)
