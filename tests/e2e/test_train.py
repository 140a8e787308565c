import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.e2e.conftest import command, curve, genelab, read, train_args, weights

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]


def _start(log_dir: Path, *more: str, engine: str = "mujoco") -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*train_args(log_dir, *more, engine=engine)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _wait_for(path: Path, rows: int, process: subprocess.Popen[str]) -> None:
    """Until a learning curve has so many rows."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if path.is_file() and path.read_text().count("\n") >= rows:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    pytest.fail(f"{path} never had {rows} rows")


def _pids_in(folder: Path) -> list[int]:
    """Processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
                continue
            if str(folder).encode() in words:
                found.append(int(entry.name))
    return found


def _wait_until_gone(folder: Path) -> None:
    end = time.monotonic() + 30
    while pids := _pids_in(folder):
        assert time.monotonic() < end, f"still running: {pids}"
        time.sleep(0.05)


def _logged_iterations(seed_dir: Path) -> list[int]:
    """Iterations that the TensorBoard events of all attempts hold together."""
    events = EventAccumulator(str(seed_dir), size_guidance={"scalars": 0})
    events.Reload()
    return sorted({event.step for event in events.Scalars("Train/step_reward")})


def _kill_workers(log_dir: Path, parent: subprocess.Popen[str]) -> None:
    for pid in _pids_in(log_dir):
        if pid != parent.pid:
            os.kill(pid, signal.SIGKILL)


def test_every_promised_file_is_there(sweep: Path):
    assert read(sweep / "sweep.json")["task"] == "GeneLab-Inverted-Pendulum-v1"
    for seed in (1, 2):
        folder = sweep / f"seed_{seed}"
        expected = ["run.json", "eval.json", "train.log", "curve.jsonl", "model_final.pt", "round_trip.safetensors"]
        expected += [f"params/{part}.json" for part in ("task", "env", "agent")]
        expected += ["model_1.pt", "model_3.pt", "model_5.pt", "model_6.pt"]
        assert [name for name in expected if not (folder / name).is_file()] == []
        # One of the training, one of the evaluation.
        assert len(list(folder.glob("events.out.tfevents.*"))) == 2
        assert [row["iteration"] for row in curve(folder)] == list(range(7))
        run = read(folder / "run.json")
        assert run["status"] == "finished"
        assert run["execution"]["resolved_device"] in ("cpu", "cuda:0")
        assert run["backend"]["torch"]["num_threads"] == 1
        assert run["timing"]["env_steps"] == 7 * 24 * 16


def test_the_reloaded_policy_earns_what_the_one_in_memory_did(sweep: Path):
    for seed in (1, 2):
        record = read(sweep / f"seed_{seed}" / "eval.json")
        trip = record["round_trip"]
        assert trip["passed"]
        assert trip["tolerance"] == 0.0
        assert trip["in_memory_return"] == record["episodes"]["return"][:16]


def test_another_seed_gives_other_weights(sweep: Path):
    assert weights(sweep / "seed_1") != weights(sweep / "seed_2")
    assert curve(sweep / "seed_1") != curve(sweep / "seed_2")


def _killed_after(rows: int, log_dir: Path, engine: str) -> None:
    """Start a training and kill its worker once the learning curve has so many rows."""
    process = _start(log_dir, engine=engine)
    _wait_for(log_dir / "seed_1" / "curve.jsonl", rows, process)
    _kill_workers(log_dir, process)
    assert process.wait(timeout=60) == 1
    assert read(log_dir / "sweep.json")["seeds"][0]["state"] == "crashed"


def test_a_killed_training_goes_on_to_equal_weights_in_genesis(genesis_sweep: Path, tmp_path: Path):
    log_dir = tmp_path / "runs"
    _killed_after(5, log_dir, "genesis")
    done = genelab(*train_args(log_dir, "--no-eval", engine="genesis"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights(log_dir / "seed_1") == weights(genesis_sweep / "seed_1")
    assert curve(log_dir / "seed_1") == curve(genesis_sweep / "seed_1")
    assert read(log_dir / "seed_1" / "run.json")["attempts"][1]["from_iteration"] in (4, 6)


def test_the_same_seed_alone_and_killed_on_the_way_gives_equal_weights(sweep: Path, tmp_path: Path):
    """Alone, not beside another seed; its process killed once while training and once while it ends."""
    log_dir = tmp_path / "runs"
    for rows in (4, 7):
        _killed_after(rows, log_dir, "mujoco")
    done = genelab(*train_args(log_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights(log_dir / "seed_1") == weights(sweep / "seed_1")
    assert curve(log_dir / "seed_1") == curve(sweep / "seed_1")
    run = read(log_dir / "seed_1" / "run.json")
    first, second, *_ = run["attempts"]
    assert (first["end"], first["from_iteration"]) == ("killed", 0)
    assert second["from_iteration"] in (2, 4, 6)
    assert _logged_iterations(log_dir / "seed_1") == list(range(7))
    theirs, ours = (read(d / "seed_1" / "eval.json") for d in (sweep, log_dir))
    assert ours["episodes"] == theirs["episodes"]
    assert ours["baselines"] == theirs["baselines"]


def test_sigterm_saves_the_state_and_the_same_command_goes_on(sweep: Path, tmp_path: Path):
    log_dir = tmp_path / "runs"
    process = _start(log_dir, "--no-eval")
    _wait_for(log_dir / "seed_1" / "curve.jsonl", 3, process)
    process.terminate()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    _wait_until_gone(log_dir)
    reached = len(curve(log_dir / "seed_1"))
    assert read(log_dir / "seed_1" / "run.json")["status"] == "interrupted"
    done = genelab(*train_args(log_dir, "--no-eval"))
    assert done.returncode == 0, done.stdout + done.stderr
    run = read(log_dir / "seed_1" / "run.json")
    assert run["attempts"][1]["from_iteration"] == reached
    assert run["status"] == "trained"
    assert weights(log_dir / "seed_1") == weights(sweep / "seed_1")


def test_finished_seeds_are_skipped_and_left_alone(sweep: Path):
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("seed_*/*")}
    done = genelab(*train_args(sweep, "--parallel", "2", seeds=(1, 2)))
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in sweep.glob("seed_*/*")} == before


def test_a_changed_config_is_refused_with_the_difference(sweep: Path):
    before = (sweep / "sweep.json").read_bytes()
    done = genelab(*train_args(sweep, "--set", "env.rewards.alive.weight=2.0", seeds=(1, 2)))
    assert done.returncode == 2
    assert "env.rewards.alive.weight" in done.stderr
    assert "1.0" in done.stderr
    assert "2.0" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (sweep / "sweep.json").read_bytes() == before
