"""How long a training will take, from what an entry of the task took."""

import json
import re
from pathlib import Path

import pytest

from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.snapshot import config_sha256
from genelab.publish.store import add_entry
from genelab.records.entry import EntryRecord
from genelab.records.files import read_record
from genelab.sweep import estimate as module
from genelab.sweep.estimate import estimate
from genelab.sweep.plan import Action, SeedPlan, SweepPlan, seed_dir
from tests.records.factory import make_sweep, make_task

TASK = make_task()
HALF = TASK.train.iterations // 2


def _plan(log_dir: Path, *actions: Action, iterations: int = TASK.train.iterations) -> SweepPlan:
    task = TASK.model_copy(update={"train": TASK.train.model_copy(update={"iterations": iterations})})
    seeds = tuple(SeedPlan(k, seed_dir(log_dir, k), action, "") for k, action in enumerate(actions, start=1))
    cfg = LaunchCfg(seeds=tuple(seed.seed for seed in seeds), log_dir=str(log_dir))
    return SweepPlan(task, (), config_sha256(task), log_dir, ExecutionCfg(), cfg, None, seeds, cfg.seeds)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with an entry; times are told in seconds."""
    monkeypatch.setattr(module, "_hours", lambda seconds: f"{seconds:.1f} s")
    add_entry(make_sweep(tmp_path / "trained"), "first", tmp_path / "reference")
    return tmp_path / "reference"


def _seed_s(store: Path) -> float:
    runs = read_record(store / TASK.id / "first" / "entry.json", EntryRecord).runs
    return sum(run.train_wall_s for run in runs) / len(runs)


def _told(plan: SweepPlan, store: Path, done: int = 0) -> list[float]:
    """Seconds of a seed, and of all."""
    found = re.match(r"([\d.]+) s a seed, ([\d.]+) s in all, ", estimate(plan, store, done=done))
    assert found
    return [float(found[1]), float(found[2])]


def test_seeds_follow_each_other_and_a_smaller_budget_takes_less(store: Path, tmp_path: Path) -> None:
    whole, runs = _seed_s(store), tmp_path / "runs"
    assert _told(_plan(runs, "train", "train"), store) == pytest.approx([whole, 2 * whole], abs=0.06)
    assert _told(_plan(runs, "train", iterations=HALF), store) == pytest.approx([whole / 2] * 2, abs=0.06)


def test_what_is_trained_already_is_not_counted(store: Path, tmp_path: Path) -> None:
    whole, runs = _seed_s(store), tmp_path / "runs"
    assert _told(_plan(runs, "train"), store, done=HALF) == pytest.approx([whole / 2] * 2, abs=0.06)
    rows = [{"iteration": k, "episode_return": 1.0, "steps_per_s": 100.0} for k in range(HALF)]
    (runs / "seed_1").mkdir(parents=True)
    (runs / "seed_1" / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert _told(_plan(runs, "resume", "train"), store) == pytest.approx([whole, 1.5 * whole], abs=0.06)
    assert estimate(_plan(runs, "skip"), store) == "nothing is left to train"


def test_without_an_entry_there_is_none(tmp_path: Path) -> None:
    assert estimate(_plan(tmp_path / "runs", "train"), tmp_path).startswith("none: ")
