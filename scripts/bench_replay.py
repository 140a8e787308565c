"""Time of adding to and sampling from the hindsight buffer, against that of Stable-Baselines3, in one process."""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from bench_common import print_ratio
from stable_baselines3 import HerReplayBuffer

from genelab.learn.sb3.replay import GoalReplayBuffer
from genelab.learn.sb3.vec_env import GoalVecEnv

STEPS = 100
"""Control steps of an episode."""
WIDTHS = {"observation": 35, "achieved_goal": 3, "desired_goal": 3}
CALLS = 20
"""Calls behind one time of adding. Sampling takes one call, as a search in the whole buffer is slow."""


class Goals:
    """Spaces and the reward of the pick-and-place task: 35 observations, 4 actions."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs, self.num_actions, self.max_steps, self.device = num_envs, 4, STEPS, torch.device("cpu")

    def layout(self) -> dict[str, Any]:
        """Widths of the groups."""
        return {name: [{"start": 0, "stop": dim}] for name, dim in WIDTHS.items()}

    def compute_reward(self, achieved: torch.Tensor, desired: torch.Tensor) -> torch.Tensor:
        """Sparse, with a bonus for height."""
        far = (achieved - desired).norm(dim=1) > 0.05
        return 0.2 * ((achieved[:, 2] - 0.02) / 0.1).clamp(0.0, 1.0) - far.float()

    def relabel(self, observation: torch.Tensor, achieved: torch.Tensor, desired: torch.Tensor) -> torch.Tensor:
        """Write the goal and the way to it."""
        return torch.cat([observation[:, :24], desired, desired - achieved, observation[:, 30:]], 1)


def seconds(function: Callable[[], Any], calls: int = 1) -> float:
    """Wall-clock of one call, s."""
    begin = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - begin) / calls


def main() -> int:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--transitions", type=int, default=1_000_000, help="capacity, over all environments")
    options.add_argument("--num-envs", type=int, default=64, help="environments")
    options.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 2048], help="transitions per sample")
    options.add_argument("--threads", type=int, default=1, help="CPU threads")
    options.add_argument("--repeats", type=int, default=15, help="rounds, interleaved")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    env = GoalVecEnv(Goals(args.num_envs))  # pyright: ignore[reportArgumentType]
    buffers: list[Any] = [
        cls(args.transitions, env.observation_space, env.action_space, env, device="cpu", n_envs=args.num_envs)
        for cls in (GoalReplayBuffer, HerReplayBuffer)
    ]
    groups = {
        name: rng.random((args.num_envs, *space.shape), np.float32) for name, space in env.observation_space.items()
    }
    action, reward = rng.random((args.num_envs, 4), np.float32), rng.random(args.num_envs, np.float32)
    infos = [{"TimeLimit.truncated": True} for _ in range(args.num_envs)]
    step = 0

    def add(buffer: Any) -> None:
        nonlocal step
        step += 1
        buffer.add(groups, groups, action, reward, np.full(args.num_envs, step % STEPS == 0), infos)

    for buffer in buffers:
        # Full and beyond, so that old episodes are overwritten.
        for _ in range(args.transitions // args.num_envs + 50):
            add(buffer)
    print(f"{args.transitions} transitions, {args.num_envs} environments, {args.threads} thread(s), ms")
    print(f"{'':28}{'genelab':>10}{'sb3':>10}")
    for batch in args.batch_sizes:
        rows = [[seconds(partial(b.sample, batch)) for b in buffers] for _ in range(args.repeats)]
        print_ratio(f"sample {batch}", *(1e3 * median(times) for times in zip(*rows, strict=True)), "ms")
    rows = [[seconds(partial(add, b), CALLS * STEPS) for b in buffers] for _ in range(3)]
    print_ratio("add", *(1e3 * median(times) for times in zip(*rows, strict=True)), "ms")
    buffers[0].mark()
    print_ratio("add, with a journal", 1e3 * seconds(partial(add, buffers[0]), STEPS), 1e3 * rows[0][1], "ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
