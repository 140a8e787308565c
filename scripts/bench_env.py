"""Environment overhead: `env.step` against the simulator steps inside it, for few and for many environments."""

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from statistics import median

import torch
from bench_common import FRANKA, SEED, TASKS, UNITREE, parser, print_ratio
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.learn.backend import backend_of
from genelab.registry import get_task
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.make import start
from genelab.sim.session import Session, resolve_device

NUM_ENVS = {FRANKA: (16, 64, 256), **dict.fromkeys(UNITREE, (64, 256, 1024, 4096))}
FEW_AND_MANY = (64, 4096)
BLOCK = 10
"""Control steps per block."""
ACTION_STD = 0.1
"""So small that no pole of a bare block, which resets nothing, reaches its stop, where the solver has more to do."""
WARM_UP = 2
"""Blocks not counted."""


def step_ms(advance: Callable[[Tensor], object], actions: Sequence[Tensor]) -> float:
    """Wall-clock per control step, ms."""
    begin = time.perf_counter()
    for action in actions:
        advance(action)
    if actions[0].is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / len(actions) * 1e3


class Listening(Simulation):
    """Keeps the targets that it is given."""

    def __init__(self, cfg: EnvCfg, num_envs: int, session: Session) -> None:
        super().__init__(cfg, num_envs, session)
        self.heard: list[Tensor] = []

    def set_targets(self, targets: Tensor) -> None:
        """Keep and hand on."""
        self.heard.append(targets.clone())
        super().set_targets(targets)


@torch.inference_mode()
def measure(task: TaskSpec, num_envs: int, session: Session, blocks: int) -> tuple[float, float]:
    """Medians over interleaved blocks from the same states: `env.step` and bare physics, ms per control step."""
    sim = Listening(task.env, num_envs, session)
    final = backend_of(task.agent).final_observations
    env = Environment(
        task.env,
        sim,
        Purpose(SEED, numbered=False, final_observations=final),
    )
    env.reset()

    # As with a bare scene: nothing resets what broke, and nothing is read. The targets are the same, because a robot
    # that holds still is less work to the solver.
    def physics(targets: Tensor) -> None:
        sim.set_targets(targets)
        for _ in range(task.env.decimation):
            sim.step()

    times: list[tuple[float, float]] = []
    for _ in range(WARM_UP + blocks):
        actions = list(ACTION_STD * torch.randn(BLOCK, num_envs, env.num_actions, device=session.device))
        before = env.state_dict()
        sim.heard.clear()
        stepped = step_ms(env.step, actions)
        after = env.state_dict()
        env.load_state_dict(before)
        times.append((stepped, step_ms(physics, tuple(sim.heard))))
        env.load_state_dict(after)
    stepped, bare = (median(column) for column in zip(*times[WARM_UP:], strict=True))
    return stepped, bare


def main(args: Namespace) -> None:
    """Print a line per number of environments."""
    task = get_task(args.task)
    session = start(SEED, resolve_device(args.device), args.threads)
    print(f"{args.task}, {args.device}, {args.threads} thread(s), {args.repeats} blocks of {BLOCK} control steps")
    print(f"{'':28}{'env.step':>10}{'physics':>10} {'':4}{'ratio':>8}")
    for num_envs in args.num_envs or NUM_ENVS.get(args.task, FEW_AND_MANY):
        print_ratio(f"{num_envs} environments", *measure(task, num_envs, session, args.repeats), "ms")


if __name__ == "__main__":
    options = parser(__doc__, repeats=30, tasks=(*TASKS, FRANKA, *UNITREE))
    options.add_argument(
        "--num-envs", type=int, nargs="*", help="numbers of environments; those of the task unless told"
    )
    main(options.parse_args())
