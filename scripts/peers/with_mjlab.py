"""mjlab's own velocity task of the same robot, as it is registered there, or with the physics steps of genelab's."""

import sys
from importlib.metadata import version

import torch
from mjlab.envs import ManagerBasedRlEnv
from mjlab.tasks.registry import load_env_cfg
from serve import serve

TASK = "Mjlab-Velocity-Flat-Unitree-Go1"

if __name__ == "__main__":
    num_envs, threads = int(sys.argv[1]), int(sys.argv[3])
    torch.set_num_threads(threads)
    cfg = load_env_cfg(TASK)
    cfg.scene.num_envs = num_envs
    if sys.argv[4] == "equal":
        cfg.sim.mujoco.timestep, cfg.decimation = 0.002, 10
    env = ManagerBasedRlEnv(cfg, device="cpu")
    env.reset()
    serve("mjlab", version("mjlab"), env.action_manager.total_action_dim, num_envs, env.step)
