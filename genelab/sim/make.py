"""Picks the engine. Nothing else outside an engine's package names one, but `genelab.draw`: it draws with MuJoCo."""

import time

import torch

from genelab.config.env import EnvCfg
from genelab.config.scene import EngineName
from genelab.errors import InputError
from genelab.progress import phase
from genelab.sim.engine import Engine
from genelab.sim.facts import SceneFacts
from genelab.sim.session import Session, resolve_device, seed_everything
from genelab.sim.shape import Shape


def start(seed: int, device: str, threads: int, engine: EngineName) -> Session:
    """Seed everything, then start an engine. Call once per process, before anything is built.

    Args:
        seed: seeds python, numpy, torch and the engine.
        device: `auto`, `cpu`, `cuda` or `cuda:<i>`.
        threads: CPU threads of torch, and of an engine that has threads.
        engine: that of the environments to come, `env.engine`.

    Raises:
        InputError: if the device does not exist, or the engine cannot run on it.
        RunError: if the engine comes up otherwise than asked.
    """
    begin = time.perf_counter()
    phase(f"importing {engine}")
    match engine:
        case "genesis":
            from genelab.sim.genesis import runtime

            device = resolve_device(device)
            seed_everything(seed, device, threads)
            stamp = runtime.start(seed, device)
        case "mujoco":
            from genelab.sim.mujoco import runtime as mujoco_runtime

            require_device(device, engine)
            device = "cpu"
            seed_everything(seed, device, threads)
            stamp = mujoco_runtime.start()
        case "gymnasium":
            require_device(device, engine)
            device = "cpu"
            seed_everything(seed, device, threads)
            stamp = {"engine": "gymnasium", "runs_on": "cpu", "precision": None, "engine_options": {}}
    return Session(
        engine=engine,
        device=torch.device(device),
        seed=seed,
        threads=torch.get_num_threads(),
        stamp=stamp,
        start_s=time.perf_counter() - begin,
    )


def require_device(device: str, engine: EngineName) -> None:
    """Raises InputError if the device does not exist, or the engine cannot run on it, before anything is started."""
    if engine == "genesis":
        resolve_device(device)
    elif device not in ("auto", "cpu"):
        raise InputError(f"--device {device}: {engine} runs on the CPU alone")


def scene_xml(cfg: EnvCfg, facts: SceneFacts) -> str:
    """The scene of an environment as one MJCF file, as MuJoCo simulates it.

    Raises:
        InputError: if the robot has meshes, which lie in files of their own.
    """
    from genelab.sim.mujoco.model import scene_of

    scene = scene_of(cfg, facts)
    if scene.meshes:
        raise InputError(f"model = '{cfg.robot.model}': has meshes, which do not fit in one file")
    scene.compile()
    return scene.to_xml()


def scene_shapes(cfg: EnvCfg, facts: SceneFacts) -> list[Shape]:
    """What there is to see of robot and objects, whatever engine moves them. The ground is none of it."""
    from genelab.sim.mujoco.shapes import shapes

    return shapes(cfg, facts)


def make_engine(cfg: EnvCfg, num_envs: int, session: Session) -> Engine:
    """Build the scene of an environment.

    Args:
        cfg: the environment.
        num_envs: parallel environments.
        session: what the process runs on.

    Raises:
        InputError: if the model file is not the one that the config names, or the robot not symmetric as it says.
        RunError: if the engine holds something else than the config says.
        ValueError: if the process runs another engine.
    """
    if cfg.sim.engine != session.engine:
        raise ValueError(f"the process runs '{session.engine}', the environment wants '{cfg.sim.engine}'")
    phase(f"building {num_envs} environment{'' if num_envs == 1 else 's'}")
    match cfg.sim.engine:
        case "genesis":
            from genelab.sim.genesis.simulation import Simulation as Genesis

            return Genesis(cfg, num_envs, session)
        case "mujoco":
            from genelab.sim.mujoco.simulation import Simulation as MuJoCo

            return MuJoCo(cfg, num_envs, session)
