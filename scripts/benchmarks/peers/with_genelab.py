"""A registered task, by the checkout that is imported."""

from typing import Any

from serve import arguments, serve

import genelab
from genelab.registry import get_task


def make(task: Any, num_envs: int, threads: int) -> Any:
    """The environment of a training."""
    try:
        from genelab.envs.make import make_env
        from genelab.envs.purpose import Purpose
        from genelab.sim.make import start
    except ImportError:
        # A checkout of before 2026-11-28.
        from genelab.sim.simulation import Simulation

        from genelab.envs.environment import Environment
        from genelab.sim.session import start

        session = start(1, "cpu", threads)
        return Environment(task.env, Simulation(task.env, num_envs, session), 1, numbering="environment")
    if not hasattr(task, "on"):
        # A checkout without a second simulator.
        return make_env(task, Purpose.training(task, 1), num_envs, start(1, "cpu", threads))
    return make_env(task, Purpose.training(task, 1), num_envs, start(1, "cpu", threads, task.env.sim.engine))


if __name__ == "__main__":
    threads, num_envs, (task_id, *engine) = arguments()
    task = get_task(task_id)
    env = make(task.on(engine[0]) if engine else task, num_envs, threads)
    env.reset()
    serve(genelab.__version__, env.num_actions, num_envs, env.step)
