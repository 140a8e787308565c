"""The yardstick of the training benchmark: the -v1 pendulums by rsl_rl's runner over Genesis, written by hand.

    python scripts/benchmarks/bare.py TASK SEED ITERATIONS THREADS DEVICE DIR

Numbers come from the registered task, so that both sides train the same one. Nothing of genelab runs in the loop.
"""

import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import genesis
import torch
from genesis.utils.geom import inv_quat, transform_by_quat
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict
from torch import Tensor

from genelab.config.agent import PpoCfg
from genelab.config.base import resolve_asset
from genelab.config.env import EnvCfg
from genelab.registry import get_task

gs: Any = genesis  # its back ends are added at run time
PPO_FIELDS = {
    "num_learning_epochs",
    "num_mini_batches",
    "clip_param",
    "gamma",
    "lam",
    "value_loss_coef",
    "entropy_coef",
    "learning_rate",
    "max_grad_norm",
    "use_clipped_value_loss",
    "schedule",
    "desired_kl",
}


class BarePendulum(VecEnv):
    """A cart with one pole, or with two."""

    def __init__(self, cfg: EnvCfg, num_envs: int, device: str) -> None:
        self.cfg = {}
        self.num_envs, self.num_actions, self.device = num_envs, 1, device
        self.max_episode_length = cfg.max_episode_steps
        self.joints = len(cfg.robot.joints)
        self.decimation = cfg.decimation
        self.weight = {name: term.weight * cfg.control_dt for name, term in cfg.rewards.items()}
        limits: dict[str, Any] = {t.params["joints"][0]: t.params["limit"] for t in cfg.terminations.values()}  # type: ignore
        self.limits = torch.tensor([limits[name] for name in cfg.robot.joints], device=device)
        push = cfg.disturbances["push"]
        self.push_speed: float = push.params["velocity_range"][1]  # type: ignore
        self.push_steps = [seconds / cfg.control_dt for seconds in push.interval_s]
        self.jitter: float = cfg.reset_events["joint_state"].params["position_range"][1]  # type: ignore
        terms = zip(cfg.observations["policy"].terms.values(), (self.joints, self.joints, 3, 1), strict=True)
        columns = [(term.scale, term.noise or 0.0) for term, width in terms for _ in range(width)]
        self.scale, self.noise = torch.tensor(columns, device=device).T

        self.scene: Any = gs.Scene(
            sim_options=gs.options.SimOptions(dt=cfg.sim.dt),
            rigid_options=gs.options.RigidOptions(enable_collision=False),
            show_viewer=False,
        )
        model = gs.morphs.MJCF(file=str(resolve_asset(cfg.robot.model)), pos=cfg.robot.pos, default_armature=None)
        self.robot: Any = self.scene.add_entity(model)
        self.scene.build(n_envs=num_envs)
        self.pole = self.robot.get_link(cfg.robot.links[-1])
        cart = cfg.robot.actuators["cart"]
        self.robot.set_dofs_kp([cart.kp] + [0.0] * (self.joints - 1))
        self.robot.set_dofs_kv([cart.kv] + [0.0] * (self.joints - 1))

        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long, device=device)
        self.actions = torch.zeros(self.num_envs, 1, device=device)
        self.push_timer = self._push_times(self.num_envs)
        self._reset(torch.arange(self.num_envs, device=device))

    def get_observations(self) -> TensorDict:
        """Policy group with noise, critic group without."""
        position, velocity = self.robot.get_dofs_position(), self.robot.get_dofs_velocity()
        pole: Any = transform_by_quat(self.pole.get_ang(), inv_quat(self.pole.get_quat()))
        clean = torch.cat([position, velocity, pole, self.actions], dim=1)
        noisy = clean + (2.0 * torch.rand_like(clean) - 1.0) * self.noise
        groups = {"policy": noisy * self.scale, "critic": clean * self.scale}
        return TensorDict(groups, batch_size=[self.num_envs])  # type: ignore

    def step(self, actions: Tensor) -> tuple[TensorDict, Tensor, Tensor, dict[str, Any]]:
        """One control step with auto-reset."""
        previous, self.actions = self.actions, actions.clone()
        self.robot.control_dofs_position(self.actions, [0])
        for _ in range(self.decimation):
            self.scene.step()
        self.episode_length_buf += 1
        position, velocity = self.robot.get_dofs_position(), self.robot.get_dofs_velocity()
        reward = self._reward(position, velocity, (self.actions - previous)[:, 0])
        terminated = (position.abs() > self.limits).any(dim=1)
        time_outs = (self.episode_length_buf >= self.max_episode_length) & ~terminated
        done = terminated | time_outs
        self._push()
        self._reset(done.nonzero().flatten())
        return self.get_observations(), reward, done, {"time_outs": time_outs}

    def _reward(self, q: Tensor, v: Tensor, action_change: Tensor) -> Tensor:
        w, q2, v2 = self.weight, q.square(), v.square()
        reward = w["alive"] + w["cart_position"] * q2[:, 0] + w["cart_velocity"] * v2[:, 0]
        reward += w["action_rate"] * action_change.square()
        if self.joints == 2:
            return (
                reward + w["pole_upright"] * q[:, 1].cos() + w["pole_angle"] * q2[:, 1] + w["pole_velocity"] * v2[:, 1]
            )
        upright = (q[:, 1].cos() + (q[:, 1] + q[:, 2]).cos()) / 2
        reward += w["poles_upright"] * upright + w["poles_aligned"] * q2[:, 2]
        return reward + w["poles_velocity"] * (v2[:, 1] + v2[:, 2])

    def _push(self) -> None:
        self.push_timer -= 1
        due = (self.push_timer <= 0).nonzero().flatten()
        if len(due):
            self.robot.set_dofs_velocity(self._uniform(len(due), 1, self.push_speed), [0], envs_idx=due)
            self.push_timer[due] = self._push_times(len(due))

    def _reset(self, ids: Tensor) -> None:
        if len(ids):
            position, velocity = (self._uniform(len(ids), self.joints, self.jitter) for _ in range(2))
            self.robot.set_qpos(position, envs_idx=ids, zero_velocity=False)
            self.robot.set_dofs_velocity(velocity, envs_idx=ids)
            self.episode_length_buf[ids] = 0
            self.actions[ids] = 0.0

    def _push_times(self, count: int) -> Tensor:
        low, high = self.push_steps
        return (low + (high - low) * torch.rand(count, device=self.device)).round().long()

    def _uniform(self, rows: int, columns: int, half_width: float) -> Tensor:
        return (2.0 * torch.rand(rows, columns, device=self.device) - 1.0) * half_width


def train_cfg(agent: PpoCfg) -> dict[str, Any]:
    """The task's PPO settings in rsl_rl's form."""
    shared = {"class_name": "MLPModel", "activation": agent.actor.activation, "obs_normalization": True}
    noise = {"class_name": "GaussianDistribution", "init_std": agent.init_std, "std_type": "scalar"}
    return {
        "num_steps_per_env": agent.num_steps_per_env,
        "save_interval": agent.save_interval,
        "obs_groups": {"actor": ["policy"], "critic": ["critic"]},
        "algorithm": {"class_name": "PPO", **agent.model_dump(include=PPO_FIELDS)},
        "actor": {**shared, "hidden_dims": agent.actor.hidden_dims, "distribution_cfg": noise},
        "critic": {**shared, "hidden_dims": agent.critic.hidden_dims},
    }


def main(task_id: str, seed: int, iterations: int, threads: int, device: str, log_dir: Path) -> None:
    """Train, and write the times to `report.json`."""
    torch.set_num_threads(threads)
    gs.init(backend=gs.cpu if device == "cpu" else gs.cuda, seed=seed, precision="32", logging_level="warning")
    task = get_task(task_id)
    runner = OnPolicyRunner(
        BarePendulum(task.env, task.train.num_envs, device), train_cfg(task.agent), str(log_dir), device
    )

    rows: list[dict[str, float]] = []
    log = runner.logger.log

    def timed_log(**entry: Any) -> None:
        rows.append(
            {
                "wall_s": time.perf_counter() - begin,
                "collect_s": entry["collect_time"],
                "update_s": entry["learn_time"],
            }
        )
        log(**entry)

    runner.logger.log = timed_log  # type: ignore
    begin = time.perf_counter()
    runner.learn(iterations)
    returns = runner.logger.rewbuffer
    report = {
        "rows": rows,
        "train_wall_s": time.perf_counter() - begin,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "episode_return": statistics.mean(returns) if returns else None,
    }
    (log_dir / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], Path(sys.argv[6]))
