"""A registered task, by the checkout that is imported."""

from serve import arguments, serve

import genelab
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.registry import get_task
from genelab.sim.session import resolve_device

try:
    from genelab.sim.make import make_engine, start
except ImportError:
    # A checkout of before engines stood behind a protocol.
    from genelab.sim.simulation import Simulation as make_engine  # type: ignore[no-redef]

    from genelab.sim.session import start  # type: ignore[no-redef]

if __name__ == "__main__":
    threads, num_envs, (task_id,) = arguments()
    task = get_task(task_id)
    session = start(1, resolve_device("cpu"), threads)
    env = Environment(task.env, make_engine(task.env, num_envs, session), Purpose(1, numbered=False))
    env.reset()
    serve(genelab.__version__, env.num_actions, num_envs, env.step)
