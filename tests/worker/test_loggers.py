"""Loggers of a seed: tags, both axes, resumes, failures."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from genelab.cli import run as genelab
from genelab.config.run import ExecutionCfg, LoggerName
from genelab.errors import InputError
from genelab.registry import get_task
from genelab.runs.curve import CurveWriter
from genelab.runs.run_dir import RunDir
from genelab.worker import loggers
from genelab.worker.loggers import Loggers, require_installed, tag
from tests.records.factory import planned_run
from tests.robust.kill_checks import scalars

TASK = "GeneLab-Inverted-Pendulum-v1"


def run_with(path: Path, *names: LoggerName) -> RunDir:
    run = planned_run(path / "seed_1", get_task(TASK))
    record = run.load()
    run.save(record.replace(execution=record.execution.replace(requested=ExecutionCfg(log=names))))
    return run


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("episode_return", "Train/mean_reward"),
        ("episode_length", "Train/mean_episode_length"),
        ("loss/value", "Loss/value"),
        ("loss/surrogate", "Loss/surrogate"),
        ("action_std", "Policy/mean_std"),
        ("steps_per_s", "Perf/total_fps"),
        ("reward/alive", "Episode_Reward/alive"),
        ("termination/time_out", "Episode_Termination/time_out"),
        ("terrain_level", "Train/terrain_level"),
    ],
)
def test_tags(column: str, expected: str) -> None:
    assert tag(column) == expected


def test_rows_of_killed_attempts_are_shown_once_over_iterations_and_over_steps(tmp_path: Path) -> None:
    """The first attempt is killed before it saved anything, the second after three iterations."""
    run = run_with(tmp_path, "tensorboard")
    for start, end in ((0, 3), (0, 4), (3, 6)):
        curve = CurveWriter(run.curve, start)
        own = Loggers(run, curve.kept)
        for iteration in range(start, end):
            row: dict[str, float | int | None] = {"iteration": iteration, "env_steps": 2 * (iteration + 1)}
            row |= {"episode_return": iteration + 0.5, "success_rate": None}
            curve.append(row)
            own.log(row)
        own.flush()
    found = scalars(run.path)
    assert found["Train/mean_reward"] == [(i, i + 0.5) for i in range(6)]
    assert sorted(found["Train/mean_reward/env_steps"]) == [(2 * (i + 1), i + 0.5) for i in range(6)]
    assert "Train/success_rate" not in found


def test_a_logger_that_fails_is_told_of_once_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def __init__(self, *_: Any) -> None:
            pass

        def log(self, values: Mapping[str, float | int], iteration: int) -> None:
            raise ConnectionError("no\nroute")

    monkeypatch.setitem(loggers.MAKERS, "wandb", Broken)
    run = run_with(tmp_path, "wandb", "tensorboard")
    own = Loggers(run, [])
    for iteration in range(3):
        own.log({"iteration": iteration, "episode_return": 1.0})
    own.close()
    assert len(scalars(run.path)["Train/mean_reward"]) == 3
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: --log wandb failed, and gets nothing more from this process: ConnectionError: no")
    assert list(run.load().loggers_failed) == ["wandb"]


def test_a_package_that_is_missing_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_installed(["tensorboard"])
    missing: Any = "nowhere-to-be-found"
    with pytest.raises(InputError, match=r"--log nowhere-to-be-found: .* is not installed; pip install 'genelab\["):
        require_installed([missing])
    assert genelab(["train", TASK, "--log", "mlflow", "--log-dir", str(tmp_path / "runs")]) == 2
    assert "'mlflow' is not one of 'tensorboard', 'wandb', 'trackio'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_trackio_holds_rows_and_results_of_all_processes(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    code = f"""
import sys
from pathlib import Path
from genelab.runs.run_dir import RunDir
from genelab.worker.loggers import Loggers
for first in (0, 2):
    own = Loggers(RunDir(Path({str(tmp_path / "seed_1")!r})), [])
    for i in (first, first + 1):
        own.log({{"iteration": i, "episode_return": i + 0.5, "env_steps": 10 * i}})
    own.close()
import trackio.sqlite_storage as storage
(name,) = storage.SQLiteStorage.get_runs("genelab")
print([(row["step"], row["Train/mean_reward"]) for row in storage.SQLiteStorage.get_logs("genelab", name)])
"""
    run = run_with(tmp_path, "trackio")
    env = {"TRACKIO_DIR": str(tmp_path / "store"), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "[(0, 0.5), (1, 1.5), (2, 2.5), (3, 3.5)]" in done.stdout.splitlines()
    assert run.load().loggers_failed == {}


def test_wandb_is_offline_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = run_with(tmp_path, "wandb")
    own = Loggers(run, [])
    own.log({"iteration": 0, "episode_return": 0.5, "env_steps": 10})
    own.close()
    assert run.load().loggers_failed == {}
    (folder,) = (run.path / "wandb").glob("offline-run-*")
    assert b"Train/mean_reward" in next(folder.glob("*.wandb")).read_bytes()
