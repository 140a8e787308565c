from pathlib import Path

import pytest

from tests.e2e.conftest import genelab, read, train_args, weights
from tests.robust.kill_checks import curve, logged_iterations, scalars
from tests.robust.kill_process import Command, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]


def _killed_after(rows: int, log_dir: Path, engine: str) -> None:
    """Start a training and kill its worker once the learning curve has so many rows."""
    running = Command(train_args(log_dir, engine=engine), log_dir.with_name("killed.log"), log_dir.parent)
    assert wait_for(lambda: _rows(log_dir) >= rows, running, every_s=0.005)
    assert running.kill("worker")
    assert running.wait() == 1
    assert read(log_dir / "sweep.json")["seeds"][0]["state"] == "crashed"


def _rows(log_dir: Path) -> int:
    path = log_dir / "seed_1" / "curve.jsonl"
    return path.read_text().count("\n") if path.is_file() else 0


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


def test_tensorboard_shows_the_training_and_its_evaluation(sweep: Path):
    folder = sweep / "seed_1"
    found, rows, record = scalars(folder), curve(folder), read(folder / "eval.json")
    steps = [24 * 16 * (k + 1) for k in range(7)]
    assert [row["env_steps"] for row in rows] == [step for step, _ in found["Train/mean_reward/env_steps"]] == steps
    assert found["Loss/surrogate"] == [(k, pytest.approx(row["loss/surrogate"])) for k, row in enumerate(rows)]
    for row in rows:
        causes = [row[f"termination/{name}"] for name in ("time_out", "pole_angle", "cart_position")]
        # No cart leaves the rail in the step in which its pole falls.
        assert (sum(causes), causes[0]) == (row["episodes_finished"], 0)
    assert sum(row["episodes_finished"] for row in rows) > 0
    assert found["Eval/return_mean"] == [(7, pytest.approx(record["metrics"]["return_mean"]))]
    assert found["Eval/idle_return_mean"][0][1] == pytest.approx(record["baselines"]["idle"]["metrics"]["return_mean"])
    assert {"Loss/value", "Policy/mean_std", "Perf/total_fps", "Episode_Reward/alive"} <= set(found)


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
    assert sorted({*logged_iterations(log_dir / "seed_1")}) == list(range(7))
    theirs, ours = (read(d / "seed_1" / "eval.json") for d in (sweep, log_dir))
    assert ours["episodes"] == theirs["episodes"]
    assert ours["baselines"] == theirs["baselines"]


def test_sigterm_saves_the_state_and_the_same_command_goes_on(sweep: Path, tmp_path: Path):
    log_dir = tmp_path / "runs"
    running = Command(train_args(log_dir, "--no-eval"), tmp_path / "stopped.log", tmp_path)
    assert wait_for(lambda: _rows(log_dir) >= 3, running, every_s=0.005)
    assert running.terminate() == 143
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
