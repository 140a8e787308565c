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
from genelab.worker.training import RESUME_FORMAT, _restore  # pyright: ignore[reportPrivateUsage]

TASK = get_task("GeneLab-Inverted-Pendulum-v1")


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    run = RunDir.create(
        tmp_path / "seed_1", TASK, seed=1, seeds_planned=(1,), command=(), overrides=(), execution=ExecutionCfg()
    )
    run.resume.mkdir()
    return run


def _trainer() -> Any:
    """Takes a state as the real one does: by its names."""
    return SimpleNamespace(load_state_dict=lambda state: state["env"]["num_steps"] + state["iteration"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "genelab/resume/1"}, "written by another version of genelab"),
        ({"config_sha256": "0" * 64}, "belongs to another config"),
        ({"trainer": {"iteration": 1}}, "no whole training state: KeyError('env')"),
        ({"trainer": {"iteration": "x", "env": {"num_steps": torch.zeros(2)}}}, "no whole training state: TypeError"),
        ({"trainer": None}, "no whole training state: TypeError"),
        ({"train_wall_s": "long"}, "no whole training state: ValueError"),
    ],
)
def test_a_training_state_that_does_not_fit_is_one_line(run_dir: RunDir, change: dict[str, Any], told: str):
    good = {"iteration": 1, "env": {"num_steps": torch.tensor(3)}}
    state = {"format": RESUME_FORMAT, "config_sha256": run_dir.load().config_sha256, "train_wall_s": 2.0}
    save_tensors(run_dir.resume / "state.pt", {**state, "trainer": good})
    assert _restore(run_dir, _trainer()) == 2.0
    save_tensors(run_dir.resume / "state.pt", {**state, "trainer": good, **change})
    with pytest.raises(InputError) as caught:
        _restore(run_dir, _trainer())
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_without_a_state_training_starts_afresh(run_dir: RunDir):
    assert _restore(run_dir, _trainer()) == 0.0
