import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.records.sweep import SeedEntry, SweepRecord
from genelab.registry import get_task
from genelab.sweep.live import LineView, TableView, read_progress
from genelab.sweep.plan import SweepPlan, make_plan
from tests.records.factory import planned_run


def row(iteration: int, **changes: object) -> str:
    return json.dumps({"iteration": iteration, "episode_return": 7.25, "steps_per_s": 98304.0, **changes}) + "\n"


@pytest.fixture
def plan(tmp_path: Path) -> SweepPlan:
    """150 iterations of 98304 steps on seeds 1 and 2, and the curve of seed 1 after 30."""
    cfg = LaunchCfg(seeds=(1, 2), log_dir=str(tmp_path))
    made = make_plan(get_task("GeneLab-Inverted-Pendulum-v1"), [], ExecutionCfg(), cfg)
    (tmp_path / "seed_1").mkdir()
    (tmp_path / "seed_1" / "curve.jsonl").write_text("".join(row(i) for i in range(30)))
    return made


def record(plan: SweepPlan, **first: Any) -> SweepRecord:
    now = datetime.now(UTC)
    return SweepRecord(
        schema="genelab/sweep/2",
        task=plan.task.id,
        task_version=1,
        config_sha256=plan.config_sha256,
        execution=plan.execution,
        command=("genelab",),
        seeds=(SeedEntry(seed=1, **first), SeedEntry(seed=2)),
        created_at=now,
        updated_at=now,
    )


def test_progress_is_the_last_whole_row(tmp_path: Path) -> None:
    curve = tmp_path / "curve.jsonl"
    assert read_progress(curve) is None
    curve.write_text('{"iteration": 0, "episode_re')
    assert read_progress(curve) is None
    rows = "".join(row(i, loss="x" * 100) for i in range(500))
    curve.write_text(rows + row(500)[:30])
    progress = read_progress(curve)
    assert progress
    assert (progress.iteration, progress.episode_return) == (499, 7.25)


def test_lines_tell_changes_and_tenths_once(plan: SweepPlan, capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView(plan)
    view.interval_s = 0.0
    with view:
        for _ in range(3):
            view.refresh(record(plan, state="training"))
        (plan.log_dir / "seed_1" / "curve.jsonl").write_text("".join(row(i, episode_return=None) for i in range(31)))
        view.refresh(record(plan, state="training"))
        view.refresh(record(plan, state="crashed", reason="killed by SIGKILL"))
    assert capsys.readouterr().out.splitlines() == [
        "seed 1: training",
        "seed 1: iteration 30/150, return 7.250, 98,304 steps/s, 2:00 left",
        "seed 1: crashed, killed by SIGKILL",
    ]


def test_only_running_seeds_tell_their_device(plan: SweepPlan, capsys: pytest.CaptureFixture[str]) -> None:
    run = planned_run(plan.log_dir / "seed_1", plan.task)
    run.update(execution=run.load().execution.replace(resolved_device="cpu"))
    LineView(plan).refresh(record(plan, state="finished"))
    assert "chose" not in capsys.readouterr().out
    LineView(plan).refresh(record(plan, state="training"))
    assert "seed 1: device auto chose cpu" in capsys.readouterr().out


def test_the_table_shows_every_seed(plan: SweepPlan) -> None:
    output = StringIO()
    with TableView(plan, Console(file=output, force_terminal=True, width=100)) as view:
        view.refresh(record(plan, state="training"))
        view.say("a line [that] stays")
    text = output.getvalue()
    assert "a line [that] stays" in text
    for shown in ("iteration", "steps/s", "time left", "training", "30/150", "7.250", "2:00", "planned", "0/150"):
        assert shown in text
