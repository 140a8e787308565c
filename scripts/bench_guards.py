"""Share of a training iteration that its guards take, by a clock around each of them."""

import functools
import sys
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, get_args

import torch
from bench_common import FRANKA, SEED, TASKS, parser

from genelab.config.agent import SacCfg
from genelab.config.commands import CollectCfg
from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg, NanPolicy
from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.learn.backend import Trainer
from genelab.learn.guard import UpdateGuard
from genelab.learn.rollout import RolloutGuard
from genelab.learn.sb3.journal import Journal
from genelab.learn.sb3.sac import GuardedSac
from genelab.learn.sb3.store import EpisodeStore
from genelab.learn.sb3.trainer import SacTrainer
from genelab.registry import get_task
from genelab.sim.make import make_engine, start
from genelab.sim.session import Session, resolve_device
from genelab.worker import demonstrations
from genelab.worker.training import make_trainer

LIMIT = 0.02
WARM_UP = 2
"""Iterations not counted."""
SECOND_LOOK, WHOLE = "second observations", "iteration, s"


def guards_of(trainer: Trainer) -> dict[str, list[tuple[Any, str]]]:
    """What is clocked, by owner and attribute. None is called within another."""
    own = type(trainer)
    module = sys.modules[own.__module__]
    sac = isinstance(trainer, SacTrainer)
    start = [(own, "_state_but_buffer"), (EpisodeStore, "mark")] if sac else [(own, "state_dict")]
    # A healthy update of SAC is looked at once, as a whole: bounds of Q-values and dead noise are a part of that.
    update = (
        [(GuardedSac, "_require_normal")] if sac else [(UpdateGuard, n) for n in ("by_environment", "finite", "within")]
    )
    steps = ("begin", "_is_normal", "_require_normal", "_require_few_resets")
    return {
        "state at the start": [*start, (module, "clone_tree")],
        "after a step": [(Environment, "_broken"), *((RolloutGuard, name) for name in steps)],
        "in the update": update,
        **({"journal of the buffer": [(Journal, "keep")]} if sac else {}),
    }


@contextmanager
def second_look_clocked(spent: dict[str, float], device: torch.device) -> Generator[None]:
    """Clock the observations that `reset-env` computes to judge a step, beside those that the policy gets."""
    reward, observe = Environment._reward, Environment._observe  # pyright: ignore[reportPrivateUsage]
    judging = False

    def judged(*args: Any, **kwargs: Any) -> Any:
        nonlocal judging
        judging = True
        try:
            return reward(*args, **kwargs)
        finally:
            judging = False

    looked = clocked(observe, SECOND_LOOK, spent, device)
    Environment._reward = judged  # pyright: ignore
    Environment._observe = lambda *args, **kwargs: (looked if judging else observe)(*args, **kwargs)  # pyright: ignore
    try:
        yield
    finally:
        Environment._reward, Environment._observe = reward, observe  # pyright: ignore


def made(task: TaskSpec, args: Namespace, session: Session, folder: Path) -> Trainer:
    """The trainer, with demonstrations where the task needs some."""
    if isinstance(task.agent, SacCfg):
        path = folder / "demos.npz"
        demonstrations.collect(
            get_task(args.task), CollectCfg(steps=task.env.max_episode_steps), session, path, no_news
        )
        task, _ = apply_overrides(task, [f"agent.demo_path={path}"])
    sim = make_engine(task.env, task.train.num_envs, session)
    cap = ExecutionCfg().max_env_resets
    trainer = make_trainer(task, "0" * 64, sim, SEED, nan_policy=args.nan_policy, max_env_resets=cap)
    demonstrations.prefill(trainer, task)
    return trainer


def no_news(_: int) -> None:
    """Say nothing about the progress."""


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


def measured(trainer: Trainer, iterations: int, device: torch.device) -> list[dict[str, float]]:
    """Of each iteration the share of every guard, and the time, s."""
    guards = guards_of(trainer)
    spent: dict[str, float] = defaultdict(float)
    for name, functions in guards.items():
        for owner, attribute in functions:
            setattr(owner, attribute, clocked(getattr(owner, attribute), name, spent, device))
    shares: list[dict[str, float]] = []
    with second_look_clocked(spent, device):
        # An iteration of SAC before its first update says nothing about updates.
        while len(shares) < iterations:
            spent.clear()
            begin = time.perf_counter()
            row = trainer.iterate()
            total = time.perf_counter() - begin
            if trainer.iteration > WARM_UP and row.get("loss/critic", 0.0) is not None:
                shares.append({name: spent[name] / total for name in (*guards, SECOND_LOOK)} | {WHOLE: total})
    return shares


def main() -> int:
    """Print the shares; exit code 1 if their sum is over the limit."""
    options = parser(__doc__, repeats=1, iterations=12, tasks=(*TASKS, FRANKA))
    options.add_argument("--variant", default=None, help="variant of the task")
    options.add_argument("--nan-policy", default="stop", choices=get_args(NanPolicy), help="as of `genelab train`")
    args = options.parse_args()
    task = get_task(args.task, args.variant)
    session = start(SEED, resolve_device(args.device), args.threads)
    with tempfile.TemporaryDirectory() as folder:
        shares = measured(made(task, args, session, Path(folder)), args.iterations, session.device)
    middle = {name: median(row[name] for row in shares) for name in shares[0]}
    whole = middle.pop(WHOLE)
    print(
        f"{args.task}, {task.train.num_envs} environments, {args.iterations} iterations, --nan-policy {args.nan_policy}"
    )
    for name, share in middle.items():
        print(f"{name:<22} {100 * share:.2f} %")
    total = sum(middle.values())
    print(f"{'all guards':<22} {100 * total:.2f} % of {whole:.2f} s, limit {100 * LIMIT:.0f} %")
    return int(total > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
