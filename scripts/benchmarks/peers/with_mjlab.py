"""mjlab's own velocity task of the same robot, as it is registered there, or with the physics steps of genelab's."""

from importlib.metadata import version

import torch
from mjlab.envs import ManagerBasedRlEnv
from mjlab.tasks.registry import load_env_cfg
from serve import arguments, serve

TASK = "Mjlab-Velocity-Flat-Unitree-Go1"

if __name__ == "__main__":
    threads, num_envs, (kind,) = arguments()
    torch.set_num_threads(threads)
    cfg = load_env_cfg(TASK)
    cfg.scene.num_envs = num_envs
    if kind == "equal":
        cfg.sim.mujoco.timestep, cfg.decimation = 0.002, 10
    env = ManagerBasedRlEnv(cfg, device="cpu")
    env.reset()
    physics = {"registered": "as registered", "equal": "with 10 steps of 2 ms"}[kind]
    name = f"mjlab {version('mjlab')} {physics}"
    serve(name, env.action_manager.total_action_dim, num_envs, env.step)
