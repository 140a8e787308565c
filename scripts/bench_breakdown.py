"""Where the time of `env.step` goes, by a clock around its parts."""

import functools
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from bench_common import FRANKA, SEED, TASKS, UNITREE, parser
from genelab.envs.disturbances import Disturbances

from genelab.envs.environment import Environment
from genelab.envs.parts.feet import Feet
from genelab.envs.purpose import Purpose
from genelab.registry import get_task
from genelab.sim.genesis.drives import Drives
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.make import start
from genelab.sim.session import resolve_device

ACTION_STD = 0.1
WARM_UP = 20
"""Steps not counted."""
PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "physics": ((Simulation, "step"),),
    "actuators": ((Drives, "set_targets"), (Drives, "before_step")),
    "sensors": ((Environment, "state"), (Feet, "sense"), (Simulation, "error")),
    "rewards": ((Environment, "_reward"),),
    "observations": ((Environment, "_observe"),),
    "looking for what broke": ((Environment, "_broken"),),
    "resets and pushes": ((Environment, "_write_initial_state"), (Disturbances, "advance")),
}
"""What is clocked, by owner and attribute. Of what is called within another part, the inner one has the time."""


class Clock:
    """Times nested calls; a part does not have the time of the parts within it."""

    def __init__(self, device: torch.device) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._device = device
        self._inner = [0.0]

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, clocked."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = self.now()
            self._inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                whole = self.now() - begin
                self.spent[part] += whole - self._inner.pop()
                self._inner[-1] += whole

        return timed

    def now(self) -> float:
        """Time, s, with the device idle."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


@torch.inference_mode()
def main(args: Namespace) -> None:
    """Print what each part takes of a step."""
    task = get_task(args.task)
    session = start(SEED, resolve_device(args.device), args.threads)
    sim = Simulation(task.env, args.num_envs, session)
    env = Environment(
        task.env,
        sim,
        Purpose(SEED, numbered=False),
    )
    env.reset()
    clock = Clock(session.device)
    for part, places in PARTS.items():
        for owner, name in places:
            setattr(owner, name, clock.around(part, getattr(owner, name)))
    shape = (args.num_envs, env.num_actions)
    actions = [ACTION_STD * torch.randn(shape, device=session.device) for _ in range(WARM_UP + args.repeats)]
    for action in actions[:WARM_UP]:
        env.step(action)
    clock.spent.clear()
    begin = clock.now()
    for action in actions[WARM_UP:]:
        env.step(action)
    whole = clock.now() - begin
    print(f"{args.task}, {args.num_envs} environments, {args.device}, {args.threads} thread(s), {args.repeats} steps")
    clock.spent["everything else"] = whole - sum(clock.spent.values())
    for part, seconds in clock.spent.items():
        print(f"{part:28}{seconds / args.repeats * 1e3:10.3f} ms {seconds / whole:8.1%}")
    print(f"{'env.step':28}{whole / args.repeats * 1e3:10.3f} ms")


if __name__ == "__main__":
    options = parser(__doc__, repeats=200, tasks=(*TASKS, FRANKA, *UNITREE))
    options.add_argument("--num-envs", type=int, default=256, help="parallel environments")
    main(options.parse_args())
