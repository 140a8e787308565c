from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genelab.errors import InputError
from genelab.learn.state import save_state
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.worker.training import RESUME, restore
from tests.records.factory import planned_run

TASK = get_task("GeneLab-Inverted-Pendulum-v1")


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    run = planned_run(tmp_path / "seed_1", TASK)
    run.resume.mkdir()
    return run


def _state(iteration: int) -> dict[str, Any]:
    return {"iteration": iteration, "env": {"num_steps": torch.tensor(3)}}


def _trainer() -> Any:
    """Takes a state as the real one does: by its names."""
    trainer = SimpleNamespace(iteration=0)

    def load(state: dict[str, Any]) -> None:
        trainer.num_steps, trainer.iteration = state["env"]["num_steps"], state["iteration"]

    trainer.load_state_dict = load
    return trainer


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"config_sha256": "0" * 64}, "belongs to another config"),
        ({"trainer": {"iteration": 1}}, "no whole training state: KeyError('env')"),
        ({"trainer": None}, "no whole training state: TypeError("),
    ],
)
def test_a_training_state_that_does_not_fit_is_one_line(run_dir: RunDir, change: dict[str, Any], told: str):
    path = run_dir.resume_state(None)
    state = {"config_sha256": run_dir.load().config_sha256, "train_wall_s": 2.0, "trainer": _state(1)}
    save_state(path, RESUME, state)
    trainer = _trainer()
    assert (restore(run_dir, trainer), trainer.iteration) == (2.0, 1)
    save_state(path, RESUME, {**state, **change})
    with pytest.raises(InputError) as caught:
        restore(run_dir, _trainer())
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_training_state_of_another_version_is_refused(run_dir: RunDir):
    path = run_dir.resume_state(None)
    save_state(path, "genelab/resume/3", {})
    with pytest.raises(InputError, match="has the schema 'genelab/resume/3', must be '"):
        restore(run_dir, _trainer())
    torch.save({}, path)
    with pytest.raises(InputError, match="is of an earlier version of genelab"):
        restore(run_dir, _trainer())


def test_without_a_state_training_starts_afresh(run_dir: RunDir):
    assert restore(run_dir, _trainer()) == 0.0
