"""Picks the engine. Nothing else outside an engine's own package names one."""

import time

import torch

from genelab.config.env import EnvCfg
from genelab.sim.engine import Engine
from genelab.sim.genesis import runtime
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.session import Session, seed_everything


def start(seed: int, device: str, threads: int) -> Session:
    """Seed everything, then start the engine. Call once per process, before anything is built.

    Args:
        seed: seeds python, numpy, torch and the engine.
        device: resolved device, `cpu` or `cuda:<i>`.
        threads: CPU threads of torch.

    Raises:
        RunError: if the engine comes up otherwise than asked.
    """
    begin = time.perf_counter()
    seed_everything(seed, device, threads)
    stamp = runtime.start(seed, device)
    return Session(
        device=torch.device(device),
        seed=seed,
        threads=torch.get_num_threads(),
        stamp=stamp,
        packages=runtime.PACKAGES,
        start_s=time.perf_counter() - begin,
    )


def make_engine(cfg: EnvCfg, num_envs: int, session: Session, *, camera: tuple[int, int] | None = None) -> Engine:
    """Build the scene of an environment.

    Args:
        cfg: the environment.
        num_envs: parallel environments.
        session: what the process runs on.
        camera: width and height of the pictures that `picture` takes, pixels; None for none. The surface of a
            terrain, which nothing else needs, costs memory and seconds.

    Raises:
        InputError: if the model file is not the one that the config names, or the robot not symmetric as it says.
        RunError: if the engine holds something else than the config says, or cannot draw.
    """
    return Simulation(cfg, num_envs, session, camera=camera)
