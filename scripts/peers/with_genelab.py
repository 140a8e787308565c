"""The registered Go1 on flat ground."""

import sys

from serve import serve

import genelab
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.registry import get_task
from genelab.sim.make import make_engine, start
from genelab.sim.session import resolve_device

TASK = "Genelab-Velocity-Flat-Unitree-Go1-v0"

if __name__ == "__main__":
    num_envs, threads = int(sys.argv[1]), int(sys.argv[3])
    task = get_task(TASK)
    session = start(1, resolve_device("cpu"), threads)
    env = Environment(task.env, make_engine(task.env, num_envs, session), Purpose(1, numbered=False))
    env.reset()
    serve("genelab", genelab.__version__, env.num_actions, num_envs, env.step)
