"""What a launch of very many seeds must not do. How long it takes is measured by `scripts/bench.py scale`."""

import resource
from collections.abc import Generator
from io import StringIO
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError
from rich.console import Console

from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.seeds import join, parse
from genelab.errors import FileError
from genelab.records.files import read_record
from genelab.records.run import RunRecord
from genelab.records.sweep import SeedEntry, SweepRecord
from genelab.sweep import book as book_module
from genelab.sweep.book import Book
from genelab.sweep.live import TableView
from genelab.sweep.plan import SweepPlan

from .launch import plan_of


def planned(folder: Path, seeds: str) -> SweepPlan:
    return plan_of(LaunchCfg.model_validate({"seeds": seeds, "log_dir": str(folder)}), ExecutionCfg())


@pytest.fixture
def few_files() -> Generator[None]:
    """Let this process open 20 more files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(psutil.Process().num_fds(), 64) + 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_launch_that_goes_on_holds_no_file_for_each_seed(tmp_path: Path, few_files: None) -> None:
    Book(planned(tmp_path, "1-120"), ("genelab",))
    again = planned(tmp_path, "1-120")
    assert {seed.why for seed in again.seeds} == {"planned before"}
    assert len(Book(again, ("genelab",)).entries) == 120


def test_changes_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "SHARE", 1e6)
    plan = planned(tmp_path, "1-3")
    book = Book(plan, ("genelab",))

    def written() -> list[str]:
        return [entry.state for entry in read_record(plan.sweep_file, SweepRecord).seeds]

    assert book.change(2, state="training").state == book.entries[2].state == "training"
    book.save(now=False)
    assert written() == ["planned"] * 3, "it was written just before"
    book.change(3, state="failed", reason="diverged")
    book.save()
    assert written() == ["planned", "training", "failed"]


def test_runs_of_many_seeds_name_them_in_few_bytes(tmp_path: Path) -> None:
    plan = planned(tmp_path / "many", "7,20-10019")
    files: list[str] = []
    for seeds in (plan.planned, (7, *range(20, 119))):
        record = read_record(_created(tmp_path / str(len(seeds)), seeds), RunRecord)
        assert record.seeds_planned == seeds
        files.append((tmp_path / str(len(seeds)) / "run.json").read_text())
    assert '"seeds_planned": "7,20-10019"' in files[0]
    assert '"seeds_planned": [\n    7,\n    20,' in files[1], "up to 100 are listed"


def _created(folder: Path, seeds: tuple[int, ...]) -> Path:
    from tests.records.factory import make_task, planned_run

    return planned_run(folder, make_task(), seeds[0], seeds_planned=seeds).record_file


@pytest.mark.parametrize(
    ("text", "seeds"), [("1,2,3", (1, 2, 3)), ("1-3,9", (1, 2, 3, 9)), ("5", (5,)), ("8, 2-4", (8, 2, 3, 4))]
)
def test_seeds_are_given_one_by_one_or_as_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert LaunchCfg.model_validate({"seeds": text}).seeds == seeds
    assert parse(join(seeds)) == seeds


@pytest.mark.parametrize("text", ["3-1", "1-", "-1", "1-2-3", "a-b", "0-4294967295", "1-3,2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        LaunchCfg.model_validate({"seeds": text})


def test_a_record_with_seeds_that_are_no_text_of_ours_is_refused(tmp_path: Path) -> None:
    path = _created(tmp_path, (1,))
    path.write_text(path.read_text().replace('"seeds_planned": [\n    1\n  ]', '"seeds_planned": "1,-2"'))
    with pytest.raises(FileError, match="seeds_planned.*must be seeds as in 1,2,3 or 1-1000"):
        read_record(path, RunRecord)


def test_a_table_of_many_seeds_shows_those_that_run_and_counts_the_others(tmp_path: Path) -> None:
    plan, output = planned(tmp_path, "1-500"), StringIO()
    entries = {seed: SeedEntry(seed=seed) for seed in plan.planned}
    entries[1] = SeedEntry(seed=1, state="failed", reason="diverged")
    entries[450] = SeedEntry(seed=450, state="training", attempts=1)
    with TableView(plan, Console(file=output, force_terminal=True, width=100, height=200)) as view:
        for entry in entries.values():
            view.note(entry)
        view.refresh(entries, last=True)
    told = " ".join(output.getvalue().split())
    assert " 450 training " in told
    assert "499" not in told
    assert "400 planned" in told
