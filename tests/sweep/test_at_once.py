"""The same `genelab train` in several processes, by hand or by a retry."""

import subprocess
import sys

import pytest

from genelab.runs.run_dir import RunDir

from . import command
from .harness import Sweep, alive, wait_for
from .launch import ASSIGNMENTS

pytestmark = pytest.mark.slow


def train(sweep: Sweep) -> subprocess.Popen[bytes]:
    """`genelab train` on the directory of the sweep."""
    words = ["train", "GeneLab-Inverted-Pendulum-v1", "--seeds", "1", "--log_dir", str(sweep.log_dir)]
    words += [word for assignment in ASSIGNMENTS for word in ("--set", assignment)]
    line = [sys.executable, command.__file__, *words]
    sweep.parents.append(subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    return sweep.parents[-1]


def one_that_goes_on(sweep: Sweep, started: list[subprocess.Popen[bytes]], *, attempts: int) -> subprocess.Popen[bytes]:
    """The one of several that holds the directory, once the others gave up and its worker is at work."""
    wait_for(lambda: sum(process.poll() is None for process in started) == 1)
    [holder] = [process for process in started if process.poll() is None]
    wait_for(lambda: sweep.log(1).splitlines().count("waiting") == attempts)
    for process in started:
        if process is not holder:
            told = process.communicate(timeout=60)[0].decode()
            assert process.returncode == 2
            last = told.splitlines()[-1]
            assert last.startswith(f"error: directory '{sweep.log_dir}' is in use by process {holder.pid} (since 2")
            assert "Traceback" not in told
    return holder


def test_one_works_the_others_name_it_and_after_a_kill_one_takes_over(sweep: Sweep) -> None:
    sweep.behave(s1="wait")
    holder = one_that_goes_on(sweep, [train(sweep) for _ in range(3)], attempts=1)
    [worker] = sweep.worker_pids()

    # Killed, it can clean nothing up; its lock goes with it, and its worker saves and ends.
    holder.kill()
    holder.communicate(timeout=60)
    second = one_that_goes_on(sweep, [train(sweep) for _ in range(2)], attempts=2)
    assert second.pid != holder.pid
    assert not alive([worker])
    record = RunDir(sweep.log_dir / "seed_1").load()
    assert [(a.from_iteration, a.end) for a in record.attempts] == [(0, "interrupted"), (3, "running")]

    second.kill()
    second.communicate(timeout=60)
    sweep.behave()
    third = train(sweep)
    assert third.wait(timeout=60) == 0
    assert sweep.states() == {1: "finished"}
    assert len(RunDir(sweep.log_dir / "seed_1").load().attempts) == 3
