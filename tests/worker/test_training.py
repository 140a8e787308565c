from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genelab.config.run import ExecutionCfg
from genelab.errors import InputError
from genelab.learn.checkpoint import save_tensors
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.worker.training import RESUME_FORMAT, restore

TASK = get_task("GeneLab-Inverted-Pendulum-v1")


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    run = RunDir.create(
        tmp_path / "seed_1", TASK, seed=1, seeds_planned=(1,), command=(), overrides=(), execution=ExecutionCfg()
    )
    run.resume.mkdir()
    return run


def _state(iteration: object, num_steps: object = torch.tensor(3)) -> dict[str, Any]:
    return {"iteration": iteration, "env": {"num_steps": num_steps}}


def _trainer() -> Any:
    """Takes a state as the real one does: by its names."""
    fresh = {"iteration": 0, "env": {"num_steps": torch.tensor(0)}}
    trainer = SimpleNamespace(iteration=0, state_dict=lambda: fresh)
    trainer.load_state_dict = lambda state: setattr(trainer, "iteration", state["iteration"])
    return trainer


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "genelab/resume/1"}, "written by another version of genelab"),
        ({"config_sha256": "0" * 64}, "belongs to another config"),
        ({"trainer": {"iteration": 1}}, "no whole training state: ValueError(\"state: must hold ['iteration', 'env']"),
        ({"trainer": _state("x")}, "iteration: must be a whole number, not negative"),
        ({"trainer": _state(True)}, "iteration: must be a whole number, not negative"),
        ({"trainer": _state(-1)}, "iteration: must be a whole number, not negative"),
        ({"trainer": _state(1, torch.zeros(2))}, "env.num_steps: is torch.float32 (2,), must be torch.int64 ()"),
        ({"trainer": _state(1, None)}, "env.num_steps: is NoneType, must be torch.int64 ()"),
        ({"trainer": _state(10**6)}, "iteration = 1000000: must be within the 0 to 150 of its stage"),
        ({"trainer": None}, "no whole training state: AttributeError"),
        ({"train_wall_s": "long"}, "train_wall_s = 'long': must be a time in s"),
        ({"train_wall_s": float("nan")}, "train_wall_s = nan: must be a time in s"),
        ({"extra": torch.zeros(1).expand(10**12)}, "holds a tensor that is not stored as it was saved"),
    ],
)
def test_a_training_state_that_does_not_fit_is_one_line(run_dir: RunDir, change: dict[str, Any], told: str):
    good = _state(1)
    state = {"format": RESUME_FORMAT, "config_sha256": run_dir.load().config_sha256, "train_wall_s": 2.0}
    save_tensors(run_dir.resume / "state.pt", {**state, "trainer": good})
    assert restore(run_dir, _trainer()) == 2.0
    save_tensors(run_dir.resume / "state.pt", {**state, "trainer": good, **change})
    with pytest.raises(InputError) as caught:
        restore(run_dir, _trainer())
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_without_a_state_training_starts_afresh(run_dir: RunDir):
    assert restore(run_dir, _trainer()) == 0.0
