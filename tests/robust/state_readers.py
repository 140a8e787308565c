"""Readers of what a process goes on from: training states, guard directories, collections, returns in memory's place.

What is accepted is gone on from: an iteration, or the steps to the fault, must then work, or be a fault of its own. See
`readers.py`.
"""

import io
import json
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from genelab.config.agent import NetworkCfg, PpoCfg, SacCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import ActuatorCfg
from genelab.config.task import TaskSpec
from genelab.learn.checkpoint import save_tensors
from genelab.learn.round_trip import recorded_observations
from genelab.learn.rsl_rl.trainer import PpoTrainer
from genelab.learn.sb3.trainer import SacTrainer
from genelab.records import names
from genelab.records.guard import GuardRecord
from genelab.runs.files import write_record
from genelab.runs.run_dir import RunDir
from genelab.worker.demonstrations import Collector, go_on
from genelab.worker.guard_report import STATE
from genelab.worker.replay import read_guard, read_state
from genelab.worker.training import RESUME_FORMAT, load_training_state, restore
from tests.learn.sb3.point_mass import PointMass
from tests.records.factory import make_task
from tests.robust import mutations

Draw = Callable[..., Any]
Parts = tuple[Path, Callable[[Draw], bytes], Callable[[bytes], object]]

NETWORK = NetworkCfg(hidden_dims=(4,), activation="relu")
PPO = PpoCfg(actor=NETWORK, critic=NETWORK, num_steps_per_env=4, save_interval=1)
SAC = SacCfg(
    actor=NETWORK,
    critic=NETWORK,
    num_steps_per_env=4,
    batch_size=4,
    buffer_size=400,
    learning_starts=100,
    ent_coef=0.1,
    save_interval=1,
)


class _TwoGroups(PointMass):
    """With the observation groups of PPO."""

    def layout(self) -> dict[str, Any]:
        return {group: [{"name": "all", "start": 0, "stop": 10}] for group in ("policy", "critic")}

    def _observe(self) -> dict[str, Tensor]:
        return dict.fromkeys(("policy", "critic"), super()._observe()["observation"])


class _WithState(PointMass):
    """What a scripted controller steps."""

    cfg = SimpleNamespace(goal=True)

    def state(self) -> Tensor:
        return self._goal - self._position


class _Controller:
    """Goes to the goal, and counts its steps."""

    def __init__(self) -> None:
        self._count = torch.zeros(4, dtype=torch.int64)

    def __call__(self, state: Tensor) -> Tensor:
        self._count = self._count + 1
        return state.clamp(-1.0, 1.0)

    def reset(self, mask: Tensor) -> None:
        self._count = self._count.masked_fill(mask, 0)

    def state_dict(self) -> dict[str, Tensor]:
        return {"count": self._count}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._count = state["count"]


def ppo_trainer() -> PpoTrainer:
    torch.manual_seed(0)
    env: Any = _TwoGroups()
    return PpoTrainer(PPO, "a" * 64, env)


def sac_trainer() -> SacTrainer:
    torch.manual_seed(0)
    env: Any = PointMass()
    return SacTrainer(SAC, "a" * 64, env)


def collector() -> Collector:
    env: Any = _WithState()
    return Collector(env, _Controller())


def _task() -> TaskSpec:
    """The toy with as many actions as the point mass has."""
    task = make_task()
    env, joint = task.env, task.env.robot.joints["slide"]
    joints = ("slide", "b", "c")
    group = ActuatorCfg(joints=joints, kp=80.0, kv=8.0)
    robot = env.robot.model_copy(update={"joints": dict.fromkeys(joints, joint), "actuators": {"cart": group}})
    action = env.action.model_copy(update={"joints": joints})
    return task.model_copy(update={"env": env.model_copy(update={"robot": robot, "action": action})})


class StateWorld:
    """A run with a training state of each learner, a guard directory of each kind, and an unfinished collection."""

    def __init__(self, root: Path) -> None:
        self.runs: dict[str, RunDir] = {}
        for number, (name, make) in enumerate({"ppo": ppo_trainer, "sac": sac_trainer}.items(), start=1):
            trainer, run = make(), make_run(root / name, number)
            for _ in range(8):
                trainer.iterate()
            digest = run.load().config_sha256
            state = {"format": RESUME_FORMAT, "config_sha256": digest, "train_wall_s": 1.5}
            run.resume.mkdir()
            save_tensors(run.resume / "state.pt", {**state, "trainer": trainer.state_dict()})
            self.runs[name] = run
        self.whole_state = _guard(self.runs["ppo"])
        save_tensors(self.whole_state / STATE, {"config_sha256": digest, "trainer": _state_of(ppo_trainer())})
        self.asked = {"config_sha256": digest, "steps": 40}
        self.partial = root / "demos.npz.partial"
        unfinished = collector()
        for _ in range(5):
            unfinished.step()
        save_tensors(self.partial, {"asked": self.asked, "collector": unfinished.state_dict()})
        self.round_trip = root / "round_trip.pt"
        rows = {"policy": torch.zeros(4, 3)}
        save_tensors(self.round_trip, {"weights_sha256": "a" * 64, "returns": [1.0, 2.0], "observations": rows})


def _state_of(trainer: PpoTrainer) -> dict[str, Any]:
    trainer.iterate()
    return trainer.state_dict()


def make_run(folder: Path, seed: int) -> RunDir:
    """The directory of a seed, as a launch leaves it."""
    planned: Any = {"seeds_planned": (1, 2), "command": (), "overrides": (), "execution": ExecutionCfg()}
    return RunDir.create(folder / f"seed_{seed}", _task(), seed=seed, **planned)


def _guard(run: RunDir) -> Path:
    folder = run.path / names.GUARD / "8"
    folder.mkdir(parents=True)
    record = GuardRecord(
        schema="genelab/guard/1",
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


def state_readers(world: StateWorld, canary: Path) -> dict[str, Parts]:
    """Each reader's file, how to damage it, and the reader with its judge."""

    def of_tensors(path: Path, read: Callable[[], object]) -> Parts:
        whole = path.read_bytes()
        return path, lambda draw: _damage(draw, whole, canary), lambda _: _quiet(read, canary)

    fault = world.whole_state / names.FAULT
    found: dict[str, Parts] = {
        "round_trip.pt": of_tensors(world.round_trip, lambda: _read_round_trip(world.round_trip)),
        "guard state.pt": of_tensors(world.whole_state / STATE, lambda: _replay_state(world.whole_state)),
        "unfinished demos": of_tensors(world.partial, lambda: _go_on(world)),
        "fault.json": (
            fault,
            lambda draw: mutations.change_json(draw, json.loads(fault.read_bytes())),
            lambda _: read_guard(world.whole_state),
        ),
    }
    for name, make in {"ppo": ppo_trainer, "sac": sac_trainer}.items():
        run = world.runs[name]
        path = run.resume / "state.pt"
        found[f"state.pt of {name}"] = of_tensors(path, lambda run=run, make=make: _resume(run, make()))
    return found


def _damage(draw: Draw, whole: bytes, canary: Path) -> bytes:
    kind = draw(mutations.checkpoint_kinds())
    if kind == "bytes":
        return mutations.change_bytes(draw, whole)
    if kind == "archive":
        return mutations.change_archive(draw, whole, canary)
    return mutations.change_tensors(draw, torch.load(io.BytesIO(whole), weights_only=True), canary)


def _quiet(read: Callable[[], object], canary: Path) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    finally:
        assert not canary.exists(), "code in a file of tensors ran"


def _read_round_trip(path: Path) -> None:
    (rows,) = recorded_observations(path, make_task().protocol, {"policy": 3})
    assert rows.dtype == torch.float32
    assert 1 <= len(rows) <= 1024
    assert bool(rows.isfinite().all())


def _resume(run: RunDir, trainer: PpoTrainer | SacTrainer) -> None:
    spent_s = restore(run, trainer)
    assert 0.0 <= spent_s < float("inf")
    assert 0 <= trainer.iteration <= run.task().train.iterations
    trainer.iterate()


def _replay_state(folder: Path) -> None:
    told, _ = read_guard(folder)
    trainer = ppo_trainer()
    load_training_state(trainer, read_state(folder, told), folder / STATE)
    trainer.iterate()


def _go_on(world: StateWorld) -> None:
    resumed = collector()
    go_on(resumed, world.partial, world.asked, 40)
    assert 0 < resumed.steps <= 40
    resumed.step()
    assert {len(column) for column in resumed.state_dict()["columns"].values()} == {resumed.steps}
