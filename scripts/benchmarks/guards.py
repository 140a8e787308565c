"""Share of a training iteration that its guards take, by Python's profiler."""

import cProfile
import pstats
import sys
import tempfile
from pathlib import Path
from typing import get_args

from benchmarks.common import FRANKA, SEED, TASKS, parser
from genelab.config.agent import OffPolicyCfg
from genelab.config.commands import CollectCfg
from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg, NanPolicy
from genelab.jobs.collect import collect
from genelab.jobs.demonstrations import prefill
from genelab.jobs.trainer import make_trainer
from genelab.registry import get_task
from genelab.sim.make import start

LIMIT = 0.02
WARM_UP = 2
"""Iterations not counted."""
ROLLOUT = ("begin", "_is_normal", "_require_normal", "_require_few_resets")
BOTH = (
    "learn/guard.py:clone_tree",
    "envs/environment.py:_broken",
    *(f"learn/rollout.py:{name}" for name in ROLLOUT),
)
PPO = (
    "learn/rsl_rl/trainer.py:state_dict",
    *(f"learn/guard.py:{name}" for name in ("by_environment", "finite", "within")),
)
SAC = (
    "learn/sb3/trainer.py:_state_but_buffer",
    "learn/sb3/buffer.py:mark",
    "learn/sb3/buffer.py:_keep",
    "learn/sb3/sac.py:_require_normal",
)
"""Functions of the guards, by file and name. None is called within another."""


def main() -> int:
    """Print the shares; exit code 1 if their sum is over the limit."""
    options = parser(__doc__, repeats=1, iterations=12, tasks=(*TASKS, FRANKA))
    options.add_argument("--variant", default=None, help="variant of the task")
    options.add_argument("--nan-policy", default="stop", choices=get_args(NanPolicy), help="as of `genelab train`")
    args = options.parse_args()
    task = get_task(args.task, args.variant)
    session = start(SEED, args.device, args.threads, task.env.sim.engine)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(task.agent, OffPolicyCfg):
            path = Path(folder) / "demos"
            cfg = CollectCfg(steps=task.env.max_episode_steps)
            collect(get_task(args.task), cfg, session, path, lambda _: None)
            task, _ = apply_overrides(task, [f"agent.demo_path={path}"])
        cap = ExecutionCfg().max_env_resets
        trainer = make_trainer(task, "0" * 64, session, SEED, nan_policy=args.nan_policy, max_env_resets=cap)
        prefill(trainer, task)
    # An iteration of SAC before its first update says nothing about updates.
    row = trainer.iterate()
    while trainer.iteration < WARM_UP or row.get("loss/critic", 0.0) is None:
        row = trainer.iterate()
    profile = cProfile.Profile()
    for _ in range(args.iterations):
        profile.runcall(trainer.iterate)
    spent = {f"{file}:{name}": row[3] for (file, _, name), row in pstats.Stats(profile).stats.items()}  # type: ignore
    whole = next(seconds for place, seconds in spent.items() if place.endswith("trainer.py:iterate"))
    print(f"{args.task}, {task.train.num_envs} environments, {args.iterations} iterations, {args.nan_policy}")
    total = 0.0
    for watched in (*BOTH, *(SAC if isinstance(task.agent, OffPolicyCfg) else PPO)):
        found = [seconds for place, seconds in spent.items() if place.endswith(f"genelab/{watched}")]
        if not found:
            sys.exit(f"{watched} was never called: bring the list of guards up to date")
        total += sum(found) / whole
        print(f"{watched:<40} {sum(found) / whole:.2%}")
    print(f"{'all guards':<40} {total:.2%} of {whole / args.iterations:.2f} s, limit {LIMIT:.0%}")
    return int(total > LIMIT)
