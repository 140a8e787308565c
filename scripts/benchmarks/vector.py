"""Control steps of environments that are no scene, beside `mujoco.batch` or the SyncVectorEnv of gymnasium.

All take the same random actions. Starts of episodes count on both sides; ours also number them.
"""

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from mujoco.batch import Batch

from benchmarks.common import SEED, in_turns, parser, print_head, print_ratio, seconds
from genelab.envs.purpose import Purpose
from genelab.envs.vector import VectorEnvironment
from genelab.registry import get_task
from genelab_control.domain import mj
from genelab_control.simulations import suite_task

CONTROL = ("Playground-CheetahRun-v0", "DMC-CheetahRun-v0", "Playground-CartpoleBalance-v0", "DMC-WalkerWalk-v0")
GYM = ("Gym-Pendulum-v1", "Gym-HalfCheetah-v5")


def main() -> None:
    """Print a line per number of environments."""
    options = parser(__doc__, repeats=7, tasks=(*CONTROL, *GYM))
    options.add_argument("--num-envs", type=int, nargs="+", default=[64, 256, 2048], help="parallel environments")
    options.add_argument("--steps", type=int, default=50, help="control steps of a turn")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    print(args.task)
    print_head("ours", "other")
    for num_envs in args.num_envs:
        ours, other = sides(args.task, num_envs)
        found = in_turns(
            {
                "ours": lambda side=ours: seconds(lambda: side(args.steps)),
                "other": lambda side=other: seconds(lambda: side(args.steps)),
            },
            args.repeats,
        )
        rates = {name: num_envs * args.steps / cost / 1000.0 for name, cost in found.items()}
        print_ratio(f"{num_envs} environments", rates["ours"], rates["other"], "k/s")


def sides(task_id: str, num_envs: int):
    """Two functions that take so many control steps."""
    task = get_task(task_id)
    env = VectorEnvironment(task.env, num_envs, Purpose(SEED, numbered=False))
    env.reset()
    actions = torch.rand(num_envs, env.num_actions, generator=torch.Generator().manual_seed(SEED)) * 2.0 - 1.0

    def ours(steps: int) -> None:
        for _ in range(steps):
            env.step(actions)

    if task_id in GYM:
        return ours, gymnasium_side(task_id.removeprefix("Gym-"), num_envs, actions.numpy())
    return ours, batch_side(task, num_envs, actions.numpy())


def batch_side(task, num_envs: int, actions: np.ndarray):
    """MuJoCo's own batch, from the same starts, without observations, rewards and restarts."""
    control = suite_task(task.env.params["suite"], task.env.params["task"])
    batch = Batch(control.model, num_envs, 1, persistent=True)
    batch.reset()
    low, high = control.model.actuator_ctrlrange.T
    targets = (low + high) / 2.0 + (high - low) / 2.0 * actions
    stage = mj.mjtStage.mjSTAGE_VEL if control.suite == "DMC" else mj.mjtStage.mjSTAGE_NONE

    def run(steps: int) -> None:
        for _ in range(steps):
            batch.ctrl = targets
            batch.step(nstep=control.substeps, stage=stage)

    return run


def gymnasium_side(env_id: str, num_envs: int, actions: np.ndarray):
    """The vector environment of gymnasium, as it comes."""
    makers = [lambda: gymnasium.make(env_id)] * num_envs
    envs = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=SEED)
    space = envs.single_action_space
    mapped = space.low + (actions + 1.0) / 2.0 * (space.high - space.low)

    def run(steps: int) -> None:
        for _ in range(steps):
            envs.step(mapped.astype(space.dtype))

    return run
