import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from genelab.config.run import ExecutionCfg
from genelab.errors import InputError
from genelab.records.check import check_sweep
from genelab.runs.run_dir import RunDir
from genelab.sweep.launcher import recorded

from .harness import Sweep, alive, wait_for

pytestmark = pytest.mark.slow


def test_so_many_at_a_time_until_all_are_finished(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.behave(s1="meet", s2="meet", s3="meet")
    assert sweep.run(seeds=(1, 2, 3), parallel=2, execution=ExecutionCfg(threads=3)) == 0
    assert sweep.states() == {1: "finished", 2: "finished", 3: "finished"}
    busy = [tuple(map(float, span)) for seed in (1, 2, 3) for span in re.findall(r"busy (\S+) (\S+)", sweep.log(seed))]
    assert len(busy) == 6
    at_a_time = [sum(begin <= start < end for begin, end in busy) for start, _ in busy]
    assert max(at_a_time) == 2  # each waits for a second one, so fewer would have failed
    assert "threads 3" in sweep.log(1)
    told = capsys.readouterr().out
    assert "seed 1: finished, return 39.000 ± 0.500, length 100.0, idle 1.000\n" in told
    assert (
        "seed 2: finished, return 39.000 ± 0.500, length 100.0, idle 39.000  ** not clearly above doing nothing **"
        in told
    )


def test_an_absolute_log_dir_stands_in_no_record() -> None:
    argv = ["genelab", "train", "Toy-v1", "--log-dir", "/data/me/{task}", "--seed", "1"]
    assert recorded(argv, Path("/data/me/Toy-v1")) == (*argv[:4], "runs/Toy-v1", "--seed", "1")
    assert recorded(["train", "--log_dir=/data/me/x"], Path("/data/me/x")) == ("train", "--log_dir=runs/x")
    assert recorded(argv, Path("runs")) == tuple(argv)


def test_failures_are_named_and_retried_while_the_rest_goes_on(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.behave(s1="fail", s2="die", s3="silent", s4="empty")
    assert sweep.run(seeds=(1, 2, 3, 4, 5), parallel=3, evaluate=False) == 1
    entries = sweep.entries()
    assert {seed: (e.state, e.exit_code, e.reason) for seed, e in entries.items()} == {
        1: ("failed", 1, "diverged: loss is not finite"),
        2: ("crashed", -9, "killed by SIGKILL; last line: about to die"),
        3: ("crashed", 3, "exit code 3; last line: ValueError: boom"),
        4: ("crashed", 0, f"ended without a result; last line: {sweep.log(4).splitlines()[-1]}"),
        5: ("trained", 0, None),
    }
    assert "seed 2: crashed, killed by SIGKILL; last line: about to die" in capsys.readouterr().out
    wait_for(lambda: not alive(sweep.worker_pids()))
    record = RunDir(sweep.log_dir / "seed_2").load()
    assert (record.status, record.failure and record.failure.reason) == ("failed", "crashed")

    done = sweep.log(5)
    sweep.behave()
    assert sweep.run(seeds=(2, 5), evaluate=False) == 0
    assert sweep.states() == {1: "failed", 2: "trained", 3: "crashed", 4: "crashed", 5: "trained"}
    assert sweep.log(5) == done
    assert [sweep.entries()[seed].attempts for seed in (2, 5)] == [2, 1]


def test_a_stop_lets_every_child_save_and_the_same_command_goes_on(sweep: Sweep) -> None:
    sweep.behave(s1="wait", s2="wait")
    parent = sweep.start(seeds=(1, 2, 3), parallel=2, evaluate=False)
    wait_for(lambda: "waiting" in sweep.log(1) and "waiting" in sweep.log(2))
    with pytest.raises(InputError, match=f"is in use by process {parent.pid} "):
        sweep.run(seeds=(1,))

    begin = time.monotonic()
    parent.send_signal(signal.SIGTERM)
    output = parent.communicate(timeout=60)[0].decode()
    assert parent.returncode == 143
    assert time.monotonic() - begin < 10
    assert not alive(sweep.worker_pids())
    assert sweep.states() == {1: "interrupted", 2: "interrupted", 3: "planned"}
    assert "seed 1: interrupted, saved at iteration 3; the same command goes on" in output

    sweep.behave()
    assert sweep.run(seeds=(1, 2, 3), parallel=2, evaluate=False) == 0
    attempts = RunDir(sweep.log_dir / "seed_1").load().attempts
    assert [(a.end, a.from_iteration, a.to_iteration) for a in attempts] == [("interrupted", 0, 3), ("finished", 3, 10)]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_request_that_the_whole_group_gets_several_times_is_one(sweep: Sweep, signum: signal.Signals) -> None:
    """As from `timeout`, a scheduler, or a terminal that closes: launcher and worker are signalled, and again."""
    sweep.behave(s1="wait")
    parent = sweep.start(seeds=(1, 2), evaluate=False)
    wait_for(lambda: "waiting" in sweep.log(1))
    for number in (signum, signum, signal.SIGTERM):
        parent.send_signal(number)
        os.kill(sweep.worker_pids()[0], number)
    output = parent.communicate(timeout=60)[0].decode()
    assert parent.returncode == 128 + signum, output
    assert sweep.log(1).count("saved") == 1
    assert sweep.states() == {1: "interrupted", 2: "planned"}
    assert sweep.entries()[1].exit_code == 143
    record = RunDir(sweep.log_dir / "seed_1").load()
    assert [(a.end, a.to_iteration) for a in record.attempts] == [("interrupted", 3)]


@pytest.mark.parametrize(("grace_s", "signum", "code"), [(0.3, signal.SIGTERM, 143), (60.0, signal.SIGINT, 130)])
def test_a_deaf_child_is_killed_after_the_grace_or_by_a_second_signal(
    sweep: Sweep, grace_s: float, signum: int, code: int
) -> None:
    sweep.behave(s1="stubborn")
    parent = sweep.start(seeds=(1,), grace_s=grace_s)
    wait_for(lambda: "deaf" in sweep.log(1))
    parent.send_signal(signum)
    if grace_s > 1:
        parent.send_signal(signum)
        time.sleep(2.1)
        assert alive(sweep.worker_pids())
        parent.send_signal(signum)
    parent.communicate(timeout=60)
    assert parent.returncode == code
    assert not alive(sweep.worker_pids())
    assert (
        sweep.entries()[1].reason
        == "killed by SIGKILL before it could save; nothing saved yet; the same command starts it again"
    )
    record = RunDir(sweep.log_dir / "seed_1").load()
    assert (record.status, record.attempts[0].end) == ("interrupted", "killed")


def test_children_do_not_outlive_a_killed_parent(sweep: Sweep) -> None:
    sweep.behave(s1="wait", s2="wait")
    parent = sweep.start(seeds=(1, 2), parallel=2)
    wait_for(lambda: "waiting" in sweep.log(1) and "waiting" in sweep.log(2))
    assert [finding.message for finding in check_sweep(sweep.log_dir, None)[2]] == [
        f"seed {seed} is not finished: its state is 'training'" for seed in (1, 2)
    ]
    parent.kill()
    wait_for(lambda: not alive(sweep.worker_pids()), timeout_s=10)
    assert RunDir(sweep.log_dir / "seed_1").load().status == "interrupted"
    assert [finding.message for finding in check_sweep(sweep.log_dir, None)[2]] == [
        f"seed {seed} is not finished: its state is 'training', but its launch has ended; the same command goes on"
        for seed in (1, 2)
    ]
    sweep.behave()
    assert sweep.run(seeds=(2,), evaluate=False) == 0
    assert sweep.states() == {1: "interrupted", 2: "trained"}
    assert sweep.entries()[1].reason == "its launch ended while training"


def test_a_seed_that_an_orphan_still_holds_stops_the_launch_before_it_writes(sweep: Sweep) -> None:
    sweep.behave(s1="fail")
    assert sweep.run(seeds=(1,), evaluate=False) == 1
    before = sweep.record()
    hold = (
        "import pathlib, sys; from genelab.runs.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print(flush=True); input()"
    )
    orphan = subprocess.Popen(
        [sys.executable, "-c", hold, str(sweep.log_dir / "seed_1")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert orphan.stdout
    orphan.stdout.readline()
    with pytest.raises(InputError, match=f"seed_1' is in use by process {orphan.pid}"):
        sweep.run(seeds=(1, 2), evaluate=False, grace_s=0.2)
    assert not (sweep.log_dir / "seed_2").exists()
    assert sweep.record() == before
    parent = sweep.start(seeds=(1,), evaluate=False)
    assert parent.stdout
    assert any(b"waiting up to 60 s" in line for line in parent.stdout)
    orphan.communicate(b"\n")
    parent.communicate(timeout=60)
    assert sweep.entries()[1].attempts == 2


def test_several_gpus_are_shared_out(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    sweep.behave(s1="meet", s2="meet")
    assert sweep.run(seeds=(1, 2), parallel=2, evaluate=False) == 0
    assert {re.findall(r"gpu (\S+)", sweep.log(seed))[0] for seed in (1, 2)} == {"4", "6"}


def test_a_disk_that_fills_up_stops_the_children(sweep: Sweep) -> None:
    sweep.behave(s1="wait", s2="wait")
    parent = sweep.start(seeds=(1, 2), parallel=2)
    wait_for(lambda: "waiting" in sweep.log(1) and "waiting" in sweep.log(2))
    psutil.Process(parent.pid).rlimit(psutil.RLIMIT_FSIZE, (200, 200))
    os.kill(sweep.worker_pids()[0], signal.SIGKILL)
    output = parent.communicate(timeout=60)[0].decode()
    assert parent.returncode == 1
    assert "RunError: cannot write" in output
    assert not alive(sweep.worker_pids())
    assert sweep.states() == {1: "training", 2: "training"}
