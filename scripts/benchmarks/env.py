"""Environment overhead: `env.step` against the simulator steps inside it, for few and for many environments."""

from argparse import Namespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import (
    ACTION_STD,
    FRANKA,
    SEED,
    TASKS,
    UNITREE,
    in_turns,
    parser,
    print_head,
    print_ratio,
    seconds,
)
from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.learn.backend import backend_of
from genelab.registry import get_task
from genelab.sim.make import make_engine, start
from genelab.sim.session import Session

NUM_ENVS = {FRANKA: (16, 64, 256), **dict.fromkeys(UNITREE, (64, 256, 1024, 4096))}
FEW_AND_MANY = (64, 4096)
BLOCK = 10
"""Control steps per block."""


@torch.inference_mode()
def measure(task: TaskSpec, num_envs: int, session: Session, args: Namespace) -> dict[str, float]:
    """Medians over blocks in turns from the same states, ms per control step."""
    sim = make_engine(task.env, num_envs, session)
    final = backend_of(task.agent).final_observations
    env = Environment(task.env, sim, Purpose.training(task, SEED, final_observations=final))
    env.reset()
    targets: list[Tensor] = []
    states: list[dict[str, Tensor]] = []
    set_targets = sim.set_targets
    if args.engine == "mujoco":
        from mujoco.batch import Batch

        # Bare: nothing is bound but the state, and nothing derived is copied out.
        alone: Any = Batch(sim._model, num_envs, args.threads)

    def listening(values: Tensor) -> None:
        targets.append(values.clone())
        set_targets(values)

    def stepped() -> float:
        targets.clear()
        states[:] = [env.state_dict()]
        actions = list(ACTION_STD * torch.randn(BLOCK, num_envs, env.num_actions, device=session.device))
        sim.set_targets = listening
        spent = seconds(lambda: [env.step(action) for action in actions], args.device)
        sim.set_targets = set_targets
        states.append(env.state_dict())
        return spent

    def bare() -> float:
        """As with a bare scene: nothing resets what broke, and nothing is read. Targets are those of the block before.

        A robot that holds still is less work to the solver.
        """
        env.load_state_dict(states[0])
        spent = seconds(physics, args.device)
        env.load_state_dict(states[1])
        return spent

    def physics() -> None:
        if args.engine == "mujoco":
            alone.state[:] = sim._batch.state
            for values in targets:
                alone.ctrl[:] = values.numpy()
                alone.step(nstep=task.env.decimation * task.env.sim.substeps)
            return
        for values in targets:
            set_targets(values)
            for _ in range(task.env.decimation):
                sim.step()

    medians = in_turns({"env.step": stepped, "physics": bare}, args.repeats, warm_up=2)
    return {name: each / BLOCK * 1e3 for name, each in medians.items()}


def main() -> None:
    """Print a line per number of environments."""
    options = parser(__doc__, repeats=30, tasks=(*TASKS, FRANKA, *UNITREE))
    options.add_argument(
        "--num-envs", type=int, nargs="*", help="numbers of environments; those of the task unless told"
    )
    options.add_argument("--engine", default="genesis", choices=("genesis", "mujoco"), help="simulator")
    args = options.parse_args()
    task = get_task(args.task).on(args.engine)
    session = start(SEED, args.device, args.threads, args.engine)
    print(
        f"{args.task}, {args.engine}, {args.device}, {args.threads} thread(s), {args.repeats} blocks of {BLOCK} steps"
    )
    print_head("env.step", "physics")
    for num_envs in args.num_envs or NUM_ENVS.get(args.task, FEW_AND_MANY):
        medians = measure(task, num_envs, session, args)
        print_ratio(f"{num_envs} environments", medians["env.step"], medians["physics"], "ms")
