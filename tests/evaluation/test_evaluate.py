import pytest
import torch

from genelab.errors import InputError
from genelab.evaluation.evaluate import RECORDED_ROWS, Recorder, evaluate
from genelab.learn.rsl_rl import backend
from genelab.registry import get_task
from tests.export.conftest import make_checkpoint


def test_the_recorder_keeps_the_first_rows_of_what_the_policy_reads():
    recorder = Recorder(("observation", "goal"))
    steps = [{group: torch.randn(600, 2) for group in ("goal", "observation", "critic")} for _ in range(3)]
    for step in steps:
        recorder(step)
    found = recorder.rows()
    assert list(found) == ["observation", "goal"]
    for group, rows in found.items():
        assert torch.equal(rows, torch.cat([step[group] for step in steps])[:RECORDED_ROWS])


def test_sampling_a_policy_whose_noise_depends_on_the_observation_is_refused(monkeypatch: pytest.MonkeyPatch):
    task = get_task("GeneLab-Inverted-Pendulum-v1")
    monkeypatch.setattr(backend, "action_std", lambda _: None)
    protocol = task.protocol.model_copy(update={"deterministic": False})
    checkpoint = make_checkpoint(task, torch.randn(10, 8))
    with pytest.raises(InputError, match=r"x\.pt: its action noise depends on the observation"):
        evaluate(task, protocol, checkpoint, None, "x.pt")  # pyright: ignore
