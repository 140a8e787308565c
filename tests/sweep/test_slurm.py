"""A sweep as an array of Slurm jobs; `sbatch` and its kin are stubs that say what they were called with."""

import functools
import os
import signal
import threading
from pathlib import Path

import pytest

from genelab.config.run import ExecutionCfg, ExecutorCfg
from genelab.errors import InputError
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import slurm
from genelab.sweep.executors.local import LocalExecutor
from genelab.worker.stop import STOPPED

from .harness import Sweep, wait_for
from .launch import WORKER, plan_of

CFG = ExecutorCfg(executor="slurm")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stubs of Slurm's commands; returns the file of what they were called with."""
    told, stubs = tmp_path / "calls", tmp_path / "bin"
    stubs.mkdir()
    for name, says in {"sbatch": "41;cluster", "squeue": "$QUEUED", "scontrol": ""}.items():
        stub = stubs / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> {told}\necho "{says}"\n')
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stubs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "LocalExecutor", functools.partial(LocalExecutor, WORKER))
    return told


def submitted(sweep: Sweep, **fields: object) -> None:
    plan = plan_of(sweep.cfg(seeds=(1, 3), **fields), ExecutionCfg())
    assert slurm.submit(plan, ["genelab", "train"], CFG) == 0


def test_the_array_has_a_task_for_each_seed_and_the_results_are_taken_in_after_it(sweep: Sweep, calls: Path) -> None:
    submitted(sweep, parallel=2)
    text = (sweep.log_dir / "slurm.sh").read_text()
    assert "#SBATCH --array=0-1%2\n" in text
    assert "seeds=(1 3)\n" in text
    assert calls.read_text().splitlines() == [
        f"sbatch --parsable {sweep.log_dir}/slurm.sh",
        f"sbatch --parsable --dependency=afterany:41 {sweep.log_dir}/slurm-collect.sh",
    ]
    assert sweep.states() == {1: "planned", 3: "planned"}


@pytest.mark.slow
def test_a_task_trains_and_evaluates_its_seed_and_the_results_are_taken_in(sweep: Sweep, calls: Path) -> None:
    submitted(sweep)
    sweep.behave(s3="fail")
    assert slurm.main(["run", str(sweep.log_dir), "1", "all"]) == 0
    assert slurm.main(["run", str(sweep.log_dir), "3", "all"]) == 1
    assert slurm.main(["collect", str(sweep.log_dir)]) == 1
    assert sweep.states() == {1: "finished", 3: "failed"}
    assert sweep.entries()[3].reason == "diverged: loss is not finite"

    sweep.behave()
    submitted(sweep)
    assert "seeds=(3)\n" in (sweep.log_dir / "slurm.sh").read_text()
    assert slurm.main(["run", str(sweep.log_dir), "3", "all"]) == 0
    submitted(sweep)
    assert sweep.states() == {1: "finished", 3: "finished"}


@pytest.mark.slow
@pytest.mark.parametrize("warned", [True, False])
def test_a_warning_before_the_time_limit_saves_and_queues_again_but_a_cancelled_job_ends(
    sweep: Sweep, calls: Path, monkeypatch: pytest.MonkeyPatch, warned: bool
) -> None:
    submitted(sweep)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "41")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    sweep.behave(s1="wait")

    def warn() -> None:
        wait_for(lambda: "waiting" in sweep.log(1))
        os.kill(os.getpid(), signal.SIGUSR1 if warned else signal.SIGTERM)

    thread = threading.Thread(target=warn)
    thread.start()
    assert slurm.main(["run", str(sweep.log_dir), "1", "all"]) == STOPPED
    thread.join()
    assert ("scontrol requeue 41_0" in calls.read_text()) == warned
    assert RunDir(sweep.log_dir / "seed_1").load().attempts[-1].end == "interrupted"


def test_jobs_in_the_queue_are_not_queued_twice(sweep: Sweep, calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted(sweep)
    monkeypatch.setenv("QUEUED", "41 main")
    with pytest.raises(InputError, match="has job 41 in the queue of Slurm"):
        submitted(sweep)


def test_what_slurm_cannot_give_is_refused_and_a_machine_without_it_told(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(sweep.cfg(), ExecutionCfg())
    with pytest.raises(InputError, match="--gpus 0.5: Slurm gives a job whole GPUs"):
        slurm.scripts(plan, CFG.model_copy(update={"gpus": 0.5}))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no sbatch on this machine"):
        slurm.submit(plan, ["genelab"], CFG)
    assert not sweep.log_dir.exists()
