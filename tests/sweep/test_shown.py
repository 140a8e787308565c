"""What is only printed ends no sweep."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genelab.config.run import ExecutionCfg
from genelab.registry import get_task
from genelab.sweep.live import LineView, TableView, view_for
from genelab.sweep.plan import make_plan

from . import command
from .harness import Sweep, wait_for
from .launch import ASSIGNMENTS


def train(sweep: Sweep, stdout: int, seeds: str = "1", **env: str) -> subprocess.Popen[bytes]:
    """`genelab train` with fake workers and an output of ours."""
    words = ["train", "GeneLab-Inverted-Pendulum-v1", "--seeds", seeds, "--log_dir", str(sweep.log_dir)]
    words += [word for assignment in ASSIGNMENTS for word in ("--set", assignment)]
    line = [sys.executable, command.__file__, *words]
    sweep.parents.append(
        subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, env=os.environ | env)
    )
    return sweep.parents[-1]


@pytest.mark.slow
def test_characters_that_the_output_does_not_know_are_replaced(sweep: Sweep, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = train(sweep, log.fileno(), seeds="1,2", PYTHONIOENCODING="iso8859-2")
    errors = process.communicate(timeout=120)[1].decode()
    assert (process.returncode, errors) == (0, "")
    assert "seed 2: finished, return 39.000 ? 0.500" in (tmp_path / "log").read_text()
    assert sweep.states() == {1: "finished", 2: "finished"}


@pytest.mark.slow
@pytest.mark.parametrize("opened", [os.pipe, pty.openpty])
def test_a_reader_that_is_gone(sweep: Sweep, opened: Callable[[], tuple[int, int]]) -> None:
    """`genelab train ... | head -1`, or a terminal that closes behind nohup."""
    ours, theirs = opened()
    process = train(sweep, theirs)
    os.close(theirs)
    wait_for(sweep.worker_pids)
    os.close(ours)
    errors = process.communicate(timeout=120)[1].decode()
    assert (process.returncode, errors) == (0, "")
    assert sweep.states() == {1: "finished"}


@pytest.mark.parametrize(
    ("term", "columns", "kind"), [("xterm", 80, TableView), ("dumb", 80, LineView), ("xterm", 39, LineView)]
)
def test_a_table_is_drawn_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, term: str, columns: int, kind: type[LineView]
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", str(columns))
    _, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        cfg = Sweep(tmp_path, monkeypatch).cfg()
        view = view_for(make_plan(get_task("GeneLab-Inverted-Pendulum-v1"), [], ExecutionCfg(), cfg))
        monkeypatch.undo()
    assert type(view) is kind
