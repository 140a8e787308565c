"""A worker that does what it is told, without a simulator: `fake_worker.py train|evaluate RUN_DIR`.

It reads its behaviour by seed from GENELAB_TEST_BEHAVIOUR, a JSON object; the default is `ok`.
"""

# ruff: noqa: T201 (what a worker prints is its log)
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# As a program it is found by its path.
sys.path.insert(0, str(Path(__file__).parents[2]))

from genelab.records.run import Failure, StageRecord
from genelab.records.stamps import CodeStamp
from genelab.runs.code import package_versions
from genelab.runs.files import write_atomic, write_record
from genelab.runs.hardware import hardware_stamp
from genelab.runs.run_dir import RunDir
from genelab.runs.stamps import Stamps
from genelab.worker.stop import STOPPED, StopFlag
from tests.records.factory import backend_stamp, episodes_of, eval_record, train_timing, trained_checkpoint

SAVED = 3
"""Iterations that a run has saved when it starts to wait."""


def train(run_dir: RunDir, behaviour: str) -> int:
    task, record = run_dir.task(), run_dir.load()
    code = (CodeStamp(name="genelab", version="0.1.0", commit=None, dirty=None),)
    stamps = Stamps(code, package_versions(), hardware_stamp("cpu"), backend_stamp())
    last = record.attempts[-1] if record.attempts else None
    stage, own = task.line()[len(record.stages)]
    begun = record.stages[-1].checkpoint.iteration if record.stages else 0
    start = max(begun, (last.to_iteration or 0) if last else 0)
    run_dir.begin_attempt(from_iteration=start, device="cpu", stamps=stamps)
    total = begun + own.train.iterations
    if behaviour == "die in the last stage" and stage is None:
        os.kill(os.getpid(), signal.SIGKILL)
    with run_dir.curve.open("a") as curve:
        for i in range(start, SAVED if behaviour in ("wait", "stubborn", "selfstop") else total):
            row = {"iteration": i, "episode_return": None if i < 2 else i / 2, "steps_per_s": 1000.0, "loss": 0.1}
            curve.write(json.dumps(row) + "\n")
    if behaviour == "wait":
        run_dir.note_progress(to_iteration=SAVED, wall_s=1.0)
        return wait(run_dir)
    if behaviour == "selfstop":
        run_dir.end_attempt("interrupted", to_iteration=SAVED, wall_s=1.0, status="interrupted")
        return STOPPED
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(300)
    path = run_dir.stage_checkpoint(stage) if stage else run_dir.final_checkpoint
    weights = f"weights of {record.seed}, {stage}"
    write_atomic(path, weights)
    checkpoint, timing = trained_checkpoint(path.name, weights.encode(), total), train_timing(task, total, 1.0)
    changes: dict[str, Any] = {"status": "trained", "checkpoint": checkpoint, "timing": timing}
    if stage:
        done = StageRecord(name=stage, checkpoint=checkpoint, timing=timing, guards={})
        changes = {"status": "stage_done", "stages": (*record.stages, done)}
    run_dir.end_attempt("finished", to_iteration=total, wall_s=1.0, **changes)
    return 0


def meet(run_dir: RunDir) -> None:
    """Be busy for a while, from when another seed is or was busy too."""
    begin = time.monotonic()
    print("here", flush=True)
    while sum("here" in log.read_text() for log in run_dir.path.parent.glob("seed_*/train.log")) < 2:
        assert time.monotonic() < begin + 60, "alone"
        time.sleep(0.01)
    time.sleep(0.3)
    print(f"busy {begin} {time.monotonic()}", flush=True)


def wait(run_dir: RunDir) -> int:
    """Wait for a request to stop, then take a while to save."""
    stop, end = StopFlag(), time.monotonic() + 300
    with stop.deferred():
        print("waiting", flush=True)
        while not stop.is_set:
            assert time.monotonic() < end, "nobody asked for an end"
            time.sleep(0.01)
        time.sleep(0.5)
        run_dir.end_attempt("interrupted", to_iteration=SAVED, wall_s=1.0, status="interrupted")
    print("saved", flush=True)
    return STOPPED


def evaluate(run_dir: RunDir) -> int:
    task, run = run_dir.task(), run_dir.update(status="evaluating")
    count = task.protocol.episodes
    episodes = episodes_of((39.5, 38.5) * (count // 2))
    # Seed 2 earns what doing nothing earns.
    idle = episodes if run.seed == 2 else episodes_of((1.0,) * count)
    write_record(run_dir.eval_file, eval_record(task, run, episodes, idle))
    run_dir.update(status="finished")
    return 0


def main() -> int:
    phase, run_dir = sys.argv[1], RunDir(Path(sys.argv[2]))
    seed = run_dir.load().seed
    behaviour = json.loads(os.environ.get("GENELAB_TEST_BEHAVIOUR", "{}")).get(str(seed), "ok")
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
    print(
        f"pid {os.getpid()} threads {os.environ['OMP_NUM_THREADS']} {os.environ['MKL_NUM_THREADS']} gpu {gpu}",
        flush=True,
    )
    with run_dir.lock():
        if behaviour == "fail":
            run_dir.mark_dead("crashed", Failure(reason="diverged", detail="loss is not finite"))
            return 1
        if behaviour == "silent":
            print("ValueError: boom", file=sys.stderr)
            return 3
        if behaviour == "empty":
            return 0
        if behaviour == "die":
            orphan = subprocess.Popen(["sleep", "300"])
            print(f"orphan {orphan.pid}\nabout to die", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "meet":
            meet(run_dir)
        return train(run_dir, behaviour) if phase == "train" else evaluate(run_dir)


if __name__ == "__main__":
    sys.exit(main())
