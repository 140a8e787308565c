"""Time of adding to and sampling from the hindsight buffer, against that of Stable-Baselines3, in one process."""

import argparse
from functools import partial
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer

from benchmarks.common import in_turns, print_head, print_ratio, seconds
from genelab.learn.sb3.buffer import GoalReplayBuffer

STEPS = 100
"""Control steps of an episode."""
WIDTHS = {"observation": 35, "achieved_goal": 3, "desired_goal": 3}
CALLS = 20
"""Calls behind one time."""


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

    def env_method(self, name: str, achieved: Any, desired: Any, *_: Any, **__: Any) -> list[Any]:
        """Judge goals as the library asks for it."""
        return [self.compute_reward(torch.as_tensor(achieved), torch.as_tensor(desired)).numpy()]

    def relabel(self, observation: torch.Tensor, achieved: torch.Tensor, desired: torch.Tensor) -> torch.Tensor:
        """Write the goal and the way to it."""
        return torch.cat([observation[:, :24], desired, desired - achieved, observation[:, 30:]], 1)


def ms(function: Any, calls: int) -> float:
    """CPU time of one call, ms."""
    return seconds(lambda: [function() for _ in range(calls)]) / calls * 1e3


def main() -> None:
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
    env: Any = Goals(args.num_envs)
    seen = spaces.Dict({name: spaces.Box(-np.inf, np.inf, (dim,)) for name, dim in WIDTHS.items()})
    moved = spaces.Box(-1.0, 1.0, (env.num_actions,))
    ours = GoalReplayBuffer(env, args.transitions)
    theirs = HerReplayBuffer(args.transitions, seen, moved, env, device="cpu", n_envs=args.num_envs)
    groups = {name: rng.random((args.num_envs, dim), np.float32) for name, dim in WIDTHS.items()}
    action, reward = rng.random((args.num_envs, 4), np.float32), rng.random(args.num_envs, np.float32)
    infos = [{"TimeLimit.truncated": True} for _ in range(args.num_envs)]
    step = 0

    def add(buffer: GoalReplayBuffer | HerReplayBuffer) -> None:
        nonlocal step
        step += 1
        done = np.full(args.num_envs, step % STEPS == 0)
        if isinstance(buffer, GoalReplayBuffer):
            buffer.append(groups, groups, action, reward, done, done)
        else:
            buffer.add(groups, groups, action, reward, done, infos)

    buffers = (ours, theirs)
    for buffer in buffers:
        # Full and beyond, so that old episodes are overwritten.
        for _ in range(args.transitions // args.num_envs + 50):
            add(buffer)
    print(f"{args.transitions} transitions, {args.num_envs} environments, {args.threads} thread(s), ms")
    print_head("genelab", "sb3")
    for batch in args.batch_sizes:
        sides = {str(k): partial(ms, partial(each.sample, batch), CALLS) for k, each in enumerate(buffers)}
        print_ratio(f"sample {batch}", *in_turns(sides, args.repeats).values(), "ms")
    sides = {str(k): partial(ms, partial(add, each), CALLS * STEPS) for k, each in enumerate(buffers)}
    print_ratio("add", *in_turns(sides, 3).values(), "ms")
    # As in a training, whose iterations may be rolled back.
    ours.mark()
    print_ratio("add, with a journal", *in_turns(sides, 1, warm_up=0).values(), "ms")
