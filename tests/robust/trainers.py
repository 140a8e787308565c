"""Small trainers and the directory of a seed, made without a simulator."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.scene import ActuatorCfg
from genelab.config.task import TaskSpec
from genelab.learn.rsl_rl.trainer import PpoTrainer
from genelab.records import names
from genelab.records.guard import GuardRecord
from genelab.registry import get_task
from genelab.runs.files import write_record
from genelab.runs.run_dir import RunDir
from tests.learn.sb3.point_mass import PointMass
from tests.records.factory import make_task, planned_run

NETWORK = NetworkCfg(hidden_dims=(4,), activation="relu")
PPO = PpoCfg(actor=NETWORK, critic=NETWORK, num_steps_per_env=4, save_interval=1)


class _TwoGroups(PointMass):
    """With the observation groups of PPO."""

    def layout(self) -> dict[str, Any]:
        return {group: [{"name": "all", "start": 0, "stop": 10}] for group in ("policy", "critic")}

    def _observe(self) -> dict[str, Tensor]:
        return dict.fromkeys(("policy", "critic"), super()._observe()["observation"])


def ppo_trainer() -> PpoTrainer:
    torch.manual_seed(0)
    env: Any = _TwoGroups()
    return PpoTrainer(PPO, "a" * 64, env)


def _task() -> TaskSpec:
    """The toy with as many actions as the point mass has."""
    task = make_task()
    env, double = task.env, get_task("GeneLab-Double-Inverted-Pendulum-v1").env.robot
    joints = double.joints
    group = ActuatorCfg(joints=joints, kp=80.0, kv=8.0)
    robot = double.model_copy(update={"actuators": {"all": group}})
    action = env.action.model_copy(update={"joints": joints})
    return task.model_copy(update={"env": env.model_copy(update={"robot": robot, "action": action})})


def make_run(folder: Path, seed: int) -> RunDir:
    """The directory of a seed, as a launch leaves it."""
    return planned_run(folder / f"seed_{seed}", _task(), seed)


def make_guard(run: RunDir) -> Path:
    """What a guard left in the directory of a seed, but for the tensors."""
    folder = run.path / names.GUARD / "8"
    folder.mkdir(parents=True)
    record = GuardRecord(
        schema="genelab/guard/2",
        task=run.load().task,
        seed=run.load().seed,
        config_sha256=run.load().config_sha256,
        phase="update",
        iteration=8,
        step=None,
        mini_batch=1,
        tensor="reward/alive",
        value="nan",
        rule="must be finite",
        environments=(),
        last_normal="x",
        nan_policy="stop",
        max_env_resets=100,
        device="cpu",
        reproduced=True,
        found_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    write_record(folder / names.FAULT, record)
    return folder
