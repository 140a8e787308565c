"""Two processes that publish or render at the same time, and a clock that jumps back between them."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from genelab.cli import run
from genelab.errors import InputError
from genelab.publish import store
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from genelab.runs.lock import locked

pytestmark = pytest.mark.slow


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return tmp_path / "reference"


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Results of calls that start at the same time; of one that was refused the error. Locks hold between threads."""
    barrier = Barrier(len(calls))

    def call(function: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return function()
        except InputError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_whoever_adds_holds_the_task(sweep: Path, reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_entry(sweep, "first", reference)
    with locked(reference / "Toy-v1"):
        assert run(["reference", "add", str(sweep), "--entry", "second", "--store", str(reference)]) == 2
    assert f"Toy-v1' is in use by process {os.getpid()} (since " in capsys.readouterr().err
    assert [entry.record.entry_id for entry in load_store(reference)] == ["first"]
    add_entry(sweep, "second", reference)


@pytest.mark.parametrize("names", [["a", "b", "c", "d"], ["same"] * 4])
def test_added_at_once_every_entry_is_whole_and_in_one_line_of_succession(
    names: list[str], sweep: Path, reference: Path
) -> None:
    results = at_once([lambda name=name: add_entry(sweep, name, reference) for name in names])
    added = {result.name for result in results if isinstance(result, Path)}
    assert all("is in use by" in str(result) for result in results if not isinstance(result, Path))
    entries = load_store(reference)
    assert {entry.record.entry_id for entry in entries} == added
    assert added
    ids = [entry.record.entry_id for entry in entries]
    assert [entry.record.supersedes for entry in entries] == [*ids[1:], None]
    assert check_path(reference).findings == []
    assert {path.name for path in (reference / "Toy-v1").iterdir()} == added | {".lock"}


def test_after_a_clock_jumped_back_the_newest_entry_still_comes_first(
    sweep: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    for k, (name, hours) in enumerate([("first", 0), ("second", 5), ("third", -3), ("fourth", -2), ("fifth", 9)]):
        clock = type("Clock", (datetime,), {"now": classmethod(lambda *_, h=hours: now + timedelta(hours=h))})
        monkeypatch.setattr(store, "datetime", clock)
        add_entry(sweep, name, reference)
        ids = [entry.record.entry_id for entry in load_store(reference)]
        assert ids == ["first", "second", "third", "fourth", "fifth"][k::-1]
    assert [entry.record.supersedes for entry in load_store(reference)] == ["fourth", "third", "second", "first", None]
    assert check_path(reference).findings == []


def test_rendered_twice_at_once_page_and_pictures_are_as_rendered_once(
    sweep: Path, reference: Path, tmp_path: Path
) -> None:
    add_entry(sweep, "first", reference)
    where = ["--store", str(reference), "--docs", str(tmp_path / "docs")]
    command = [sys.executable, "-m", "genelab", "render", *where]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    for process in both:
        told = process.communicate(timeout=200)[0].decode()
        assert process.returncode == 0, told
    assert run([*command[3:], "--check"]) == 0
    assert sorted(path.name for path in (tmp_path / "docs").rglob("*")) == ["Toy-v1.svg", "curves", "reference-runs.md"]
