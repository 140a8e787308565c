"""Share of a training iteration that its guards take, by a clock around each of them."""

import functools
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from bench_common import SEED, parser

from genelab.envs.environment import Environment
from genelab.learn.backend import Trainer
from genelab.learn.guard import UpdateGuard
from genelab.learn.rollout import RolloutGuard
from genelab.registry import get_task
from genelab.sim.session import resolve_device, start
from genelab.sim.simulation import Simulation
from genelab.worker.training import make_trainer

LIMIT = 0.02
WARM_UP = 2
"""Iterations not counted."""


def guards_of(trainer: Trainer) -> dict[str, list[tuple[Any, str]]]:
    """What is clocked, by owner and attribute."""
    own = type(trainer)
    return {
        "state at the start": [(own, "state_dict"), (sys.modules[own.__module__], "clone_tree")],
        "after a step": [(Environment, "_broken"), (RolloutGuard, "_is_normal"), (RolloutGuard, "_require_normal")],
        "in the update": [(UpdateGuard, "by_environment"), (UpdateGuard, "finite"), (UpdateGuard, "within")],
    }


def clocked(function: Callable[..., Any], name: str, spent: dict[str, float], device: torch.device) -> Any:
    """The function with its wall-clock, s, added to `spent[name]`. Waits for a GPU, so that the guard looks dearer."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        begin = time.perf_counter()
        result = function(*args, **kwargs)
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent[name] += time.perf_counter() - begin
        return result

    return run


def main() -> int:
    """Print the shares; exit code 1 if their sum is over the limit."""
    args = parser(__doc__, repeats=1, iterations=12).parse_args()
    task = get_task(args.task)
    session = start(SEED, resolve_device(args.device), args.threads)
    sim = Simulation(task.env, task.env.num_envs, session)
    trainer = make_trainer(task, "0" * 64, sim, SEED, nan_policy="stop", max_env_resets=0)
    guards = guards_of(trainer)
    spent: dict[str, float] = defaultdict(float)
    for name, functions in guards.items():
        for owner, attribute in functions:
            setattr(owner, attribute, clocked(getattr(owner, attribute), name, spent, session.device))
    shares: list[dict[str, float]] = []
    for _ in range(WARM_UP + args.iterations):
        spent.clear()
        begin = time.perf_counter()
        trainer.iterate()
        total = time.perf_counter() - begin
        shares.append({name: spent[name] / total for name in guards} | {"iteration, s": total})
    middle = {name: median(row[name] for row in shares[WARM_UP:]) for name in shares[0]}
    print(f"{args.task}, {task.env.num_envs} environments, {args.iterations} iterations")
    for name in guards:
        print(f"{name:<20} {100 * middle[name]:.2f} %")
    total = sum(middle[name] for name in guards)
    print(f"{'all guards':<20} {100 * total:.2f} % of {middle['iteration, s']:.2f} s, limit {100 * LIMIT:.0f} %")
    return int(total > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
