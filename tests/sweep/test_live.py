import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from genelab import progress
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.stage import StageCfg
from genelab.records.sweep import SeedEntry
from genelab.registry import get_task
from genelab.sweep.live import LineView, TableView
from genelab.sweep.plan import SweepPlan, make_plan
from tests.records.factory import planned_run

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


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


def show(view: LineView, **first: Any) -> None:
    """Let a view take in where seed 1 stands, and look."""
    entries = {1: SeedEntry(seed=1, **first), 2: SeedEntry(seed=2)}
    for entry in entries.values():
        view.note(entry)
    view.refresh(entries, last=True)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a sweep, without the times; each line has one."""
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(STAMP, line) for line in lines)
    return [re.sub(STAMP, "", line) for line in lines]


def test_lines_tell_changes_and_tenths_once(plan: SweepPlan, capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView(plan)
    with view:
        for _ in range(3):
            show(view, state="training")
        (plan.log_dir / "seed_1" / "curve.jsonl").write_text("".join(row(i, episode_return=None) for i in range(31)))
        show(view, state="training")
        show(view, state="crashed", reason="killed by SIGKILL")
    # 120 iterations of 1 s are left, and 150 of the other seed.
    assert said(capsys) == [
        "seed 1: training",
        "seed 1: iteration 30/150, training return 7.250, 98,304 steps/s, 2:00 left, "
        "all seeds: about 4:30 left, evaluations not counted",
        "seed 1: crashed, killed by SIGKILL",
    ]


def test_lines_tell_each_phase_of_a_worker_once(plan: SweepPlan, capsys: pytest.CaptureFixture[str]) -> None:
    view, log = LineView(plan), plan.log_dir / "seed_1" / "train.log"
    before, now = (f"{datetime.now(UTC) + timedelta(seconds=seconds):{progress.STAMP}}" for seconds in (-60, 1))
    (plan.log_dir / "seed_1" / "curve.jsonl").unlink()
    log.write_text(f"{before} episodes of the policy 8/8\n")
    show(view, state="training")
    log.write_text(f"--- {now} train\n{now} importing\na library\n")
    show(view, state="training")
    for count in (3, 7):
        log.write_text(f"{now} episodes of the policy {count}/8, 0:03 left\n")
        show(view, state="training")
    log.write_text(f"{now} first rollout\niteration 1/150  return -\n")
    show(view, state="training")
    assert said(capsys) == [
        "seed 1: training",
        "seed 1: importing",
        "seed 1: episodes of the policy 3/8, 0:03 left",
    ]


def test_only_running_seeds_tell_their_device(plan: SweepPlan, capsys: pytest.CaptureFixture[str]) -> None:
    run = planned_run(plan.log_dir / "seed_1", plan.task)
    run.update(execution=run.load().execution.replace(resolved_device="cpu"))
    show(LineView(plan), state="finished")
    assert "chose" not in capsys.readouterr().out
    show(LineView(plan), state="training")
    assert "seed 1: device auto chose cpu" in capsys.readouterr().out


def test_the_table_shows_every_seed(plan: SweepPlan) -> None:
    output = StringIO()
    with TableView(plan, Console(file=output, force_terminal=True, width=100)) as view:
        show(view, state="training")
        view.say("a line [that] stays")
    text = output.getvalue()
    assert "a line [that] stays" in text
    shown = ("iteration", "steps/s", "elapsed", "left", "training", "30/150", "7.250 training", "2:00", "planned")
    for each in (*shown, "0/150", "about 4:30 left, evaluations not counted"):
        assert each in text


def test_the_table_of_a_task_with_stages_shows_what_each_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = LaunchCfg(seeds=(1,), log_dir=str(tmp_path), evaluate=False)
    plan = make_plan(get_task("GeneLab-Inverted-Pendulum-v1"), [], ExecutionCfg(), cfg)
    stage = StageCfg(**{name: getattr(plan.task, name) for name in StageCfg.model_fields})
    task = plan.task.model_copy(update={"stages": {"slow": stage}})
    (tmp_path / "seed_1").mkdir()
    (tmp_path / "seed_1" / "curve.jsonl").write_text("".join(row(i) for i in range(30)))
    output = StringIO()
    with TableView(dataclasses.replace(plan, task=task), Console(file=output, force_terminal=True, width=100)) as view:
        show(view, state="training")
    lines = [" ".join(re.sub(r"\x1b\[[0-9;?]*\w", "", line).split()) for line in output.getvalue().splitlines()]
    assert "1 training 30/300 7.250 training 98,304 0:00 4:30" in lines
    assert "slow 2:00" in lines
    assert f"{task.id} 2:30" in lines
