"""Durations come from a clock that never jumps; times of day may lie in any order without spoiling a record."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import genelab
from genelab.records.check import check_path
from genelab.registry import get_task
from genelab.runs import run_dir as run_dir_module
from genelab.runs import stamps as stamps_module
from genelab.runs.stamps import collect
from tests.records.factory import backend_stamp, edit, make_sweep, planned_run

TASK = get_task("GeneLab-Inverted-Pendulum-v1")
WALL = {"time.time", "time.time_ns", "datetime.utcnow", "datetime.today", "datetime.timestamp"}


def wall_clocks(source: str) -> list[str]:
    """Calls that read the time of day as a number, or without a time zone."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    called = [(ast.unparse(call.func), call) for call in calls]
    return [name for name, call in called if name in WALL or (name == "datetime.now" and not call.args)]


@pytest.mark.slow
def test_no_duration_is_measured_by_the_time_of_day() -> None:
    assert wall_clocks("begin = time.time()\nx = datetime.now()\ny = datetime.now(UTC)") == [
        "time.time",
        "datetime.now",
    ]
    sources = Path(genelab.__file__).parent.rglob("*.py")
    assert {path.name: found for path in sources if (found := wall_clocks(path.read_text()))} == {}


@pytest.fixture
def falling_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is an hour earlier than the one before, over a change of day, month and year."""

    def times() -> Iterator[datetime]:
        now = datetime(2026, 1, 1, 2, tzinfo=UTC)
        while True:
            yield now
            now -= timedelta(hours=1)

    ticks = times()
    clock = type("Clock", (datetime,), {"now": classmethod(lambda *_: next(ticks))})
    for module in (run_dir_module, stamps_module):
        monkeypatch.setattr(module, "datetime", clock)


@pytest.mark.usefixtures("falling_clock")
def test_a_clock_that_runs_backwards_gives_a_valid_record_and_no_negative_duration(tmp_path: Path) -> None:
    run_dir = planned_run(tmp_path / "seed_1", TASK)
    stamps = collect(TASK.package, "cpu", backend_stamp())
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=stamps)
    run_dir.note_progress(to_iteration=5, wall_s=1.0)
    run_dir.begin_attempt(from_iteration=5, device="cpu", stamps=stamps)
    run_dir.end_attempt("interrupted", to_iteration=9, wall_s=2.0, status="interrupted")
    record = run_dir.load()
    _, last = record.attempts
    assert last.ended_at
    assert last.ended_at < last.started_at < record.launched_at
    assert [attempt.wall_s for attempt in record.attempts] == [1.0, 2.0]


def test_times_out_of_order_are_no_finding(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep")
    for seed_dir in sweep.glob("seed_*"):
        for name in ("run.json", "eval.json"):
            path = seed_dir / name
            text = path.read_text()
            assert '"launched_at": "2026-' in text
            path.write_text(text.replace('"launched_at": "2026-', '"launched_at": "2046-'))
        edit(seed_dir / "eval.json", lambda data: data.update(finished_at="1970-01-01T00:00:00Z"))
    assert check_path(sweep).findings == []
