"""Pick and place through the command line, in MuJoCo: demonstrations, training, evaluation, export, refusals."""

from pathlib import Path

import pytest

from tests.e2e.conftest import genelab, read
from tests.robust.kill_checks import curve

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("franka")]

TASK = "GeneLab-Franka-Pick-And-Place-v0"
ENVS, STEPS = 4, 300
VARIABLE = "GENELAB_SB3_DEMO_PATH"
NETWORK = "[32,32]"
MUJOCO = ("--set", "env.sim.engine=mujoco")
SMALL = (
    *MUJOCO,
    *("--num-envs", str(ENVS), "--iterations", "9", "--set", "agent.num_steps_per_env=25"),
    *("--set", "agent.learning_starts=404", "--set", "agent.buffer_size=4000", "--set", "agent.batch_size=64"),
    *("--set", f"agent.actor.hidden_dims={NETWORK}", "--set", f"agent.critic.hidden_dims={NETWORK}"),
    *("--set", "agent.save_interval=2", "--set", "agent.gradient_steps=1"),
    *("--set", "protocol.episodes=8", "--set", "protocol.num_envs=4", "--set", "protocol.round_trip_episodes=4"),
)
COLLECT = ("collect-demos", TASK, *MUJOCO, "--num-envs", str(ENVS), "--steps", str(STEPS))


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demos") / "demos.safetensors"
    done = genelab(*COLLECT, "--out", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "episodes 12, 1200 transitions" in done.stdout
    return path


def train_args(log_dir: Path, demos: Path, *more: str) -> list[str]:
    return ["train", TASK, "--seed", "1", *SMALL, "--set", f"agent.demo_path={demos}", "--log_dir", str(log_dir), *more]


@pytest.fixture(scope="module")
def sweep(demos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    log_dir = tmp_path_factory.mktemp("franka") / "runs"
    done = genelab(*train_args(log_dir, demos))
    assert done.returncode == 0, done.stdout + done.stderr
    return log_dir


def test_a_finished_collection_is_not_repeated_and_another_not_overwritten(demos: Path) -> None:
    before = demos.stat().st_mtime_ns
    again = genelab(*COLLECT, "--out", str(demos))
    assert again.returncode == 0
    assert "has been collected already" in again.stdout
    other = genelab(*COLLECT, "--seed", "7", "--out", str(demos))
    assert other.returncode == 2
    assert "holds other demonstrations" in other.stderr
    assert demos.stat().st_mtime_ns == before


CREEP = ("--set", "env.robot.gravity_compensation=0.0")


def test_demonstrations_of_another_environment_fit_that_training_alone(tmp_path: Path) -> None:
    out, runs = tmp_path / "creep.safetensors", tmp_path / "runs"
    collect = ("collect-demos", TASK, *MUJOCO, "--num-envs", str(ENVS), "--steps", "100", "--out", str(out))
    done = genelab(*collect, *CREEP)
    assert done.returncode == 0, done.stderr
    own = genelab(*train_args(runs, out), "--dry-run")
    assert own.returncode == 2
    assert "env.robot.gravity_compensation = 0.0, the training has 1.0; collect it again, with the" in own.stderr
    assert genelab(*train_args(runs, out, *CREEP), "--dry-run").returncode == 0
    # The same command finds them; without --set they are others.
    assert "has been collected already" in genelab(*collect, *CREEP).stdout
    assert "holds other demonstrations" in genelab(*collect).stderr


def test_every_promised_file_is_there_and_the_file_of_demonstrations_in_the_snapshot(sweep: Path, demos: Path) -> None:
    folder = sweep / "seed_1"
    expected = [
        "run.json",
        "eval.json",
        "curve.jsonl",
        "model.zip",
        "model_1.zip",
        "model_3.zip",
        "round_trip.safetensors",
    ]
    assert [name for name in expected if not (folder / name).is_file()] == []
    choice = read(folder / "params" / "agent.json")["demo_path"]
    assert choice["value"] == str(demos)
    assert len(choice["sha256"]) == 64
    told = {"sha256": choice["sha256"], "num_envs": ENVS, "steps": STEPS, "seed": 42}
    assert read(folder / "run.json")["demonstrations"] == told
    record = read(folder / "eval.json")
    assert (record["run"]["algorithm"], record["run"]["trainer"]) == ("sac", "stable_baselines3")
    assert record["round_trip"]["max_abs_difference"] == 0.0
    assert len(record["episodes"]["success"]) == 8
    assert "stable-baselines3" in record["packages"]
    assert genelab("check", str(sweep), "--weights").returncode == 0


def test_learning_begins_after_the_warm_up(sweep: Path) -> None:
    rows = curve(sweep / "seed_1")
    assert [row["loss/critic"] is None for row in rows] == [True] * 4 + [False] * 5
    assert rows[0]["buffer_transitions"] == ENVS * (STEPS + 25)


def test_the_policy_is_exported_with_named_inputs(sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.onnx"
    done = genelab("export", TASK, str(sweep / "seed_1" / "model.zip"), "--format", "onnx", "--out", str(out))
    assert done.returncode == 0, done.stderr
    told = read(tmp_path / "policy.onnx.metadata.json")
    inputs = [told["observation"], *told["goals"]]
    assert [each["input"]["name"] for each in inputs] == ["observation", "achieved_goal", "desired_goal"]
    assert [each["input"]["shape"][1] for each in inputs] == [35, 3, 3]
    assert told["parity"]["passed"]


def test_a_missing_demonstration_file_is_no_silent_cold_start(tmp_path: Path) -> None:
    done = genelab("train", TASK, *SMALL, "--log_dir", str(tmp_path / "runs"))
    assert done.returncode == 2
    assert f"give --set agent.demo_path=FILE or {VARIABLE}=FILE" in done.stderr
    gone = genelab(*train_args(tmp_path / "runs", tmp_path / "gone.safetensors"))
    assert gone.returncode == 2
    assert "No such file" in gone.stderr
    assert not (tmp_path / "runs").exists()
