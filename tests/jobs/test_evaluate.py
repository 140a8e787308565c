from pathlib import Path
from types import SimpleNamespace

import pytest

from genelab.config.run import ExecutionCfg
from genelab.errors import RunError
from genelab.jobs import evaluate as assessment
from genelab.learn import checkpoint
from genelab.registry import get_task
from tests.records.factory import planned_run

TASK = get_task("GeneLab-Inverted-Pendulum-v1")


def test_a_checkpoint_that_is_replaced_meanwhile_gives_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the record would hold the digest of one policy and the returns of another."""
    run_dir = planned_run(tmp_path / "seed_1", TASK)
    run_dir.final_checkpoint.write_bytes(b"first")

    def replace(*_: object) -> None:
        run_dir.final_checkpoint.write_bytes(b"second")

    loaded = SimpleNamespace(weights_sha256="0" * 64, iteration=150)
    monkeypatch.setattr(checkpoint, "load_of_run", lambda *_: loaded)
    monkeypatch.setattr(assessment, "start_session", lambda *_: (SimpleNamespace(device="cpu"), None))
    monkeypatch.setattr(assessment, "evaluate", replace)
    with pytest.raises(RunError, match=r"model_final\.pt' was replaced while it was evaluated"):
        assessment.assess(run_dir, run_dir.final_checkpoint, TASK.protocol, ExecutionCfg())
