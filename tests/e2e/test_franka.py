"""Pick and place through the command line: demonstrations, training, resume, evaluation, export, refusals."""

import io
import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch

from genelab.learn.checkpoint import Checkpoint
from tests.e2e.conftest import command, curve, genelab, read, weights

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("franka")]

TASK = "GeneLab-Franka-Pick-And-Place-v0"
ENVS, STEPS = 4, 300
VARIABLE = "GENELAB_SB3_DEMO_PATH"
NETWORK = "[32,32]"
SMALL = (
    *("--num-envs", str(ENVS), "--iterations", "9", "--set", "agent.num_steps_per_env=25"),
    *("--set", "agent.learning_starts=404", "--set", "agent.buffer_size=4000", "--set", "agent.batch_size=64"),
    *("--set", f"agent.actor.hidden_dims={NETWORK}", "--set", f"agent.critic.hidden_dims={NETWORK}"),
    *("--set", "agent.save_interval=2", "--set", "agent.gradient_steps=1"),
    *("--set", "protocol.episodes=8", "--set", "protocol.num_envs=4", "--set", "protocol.round_trip_episodes=4"),
)
COLLECT = ("collect-demos", TASK, "--num-envs", str(ENVS), "--steps", str(STEPS))


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demos") / "demos.safetensors"
    done = genelab(*COLLECT, "--out", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "episodes 12, 1200 transitions" in done.stdout
    assert "success  100.0% ever" in done.stdout
    return path


def train_args(log_dir: Path, demos: Path, *more: str) -> list[str]:
    return ["train", TASK, "--seed", "1", *SMALL, "--set", f"agent.demo_path={demos}", "--log_dir", str(log_dir), *more]


@pytest.fixture(scope="module")
def sweep(demos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    log_dir = tmp_path_factory.mktemp("franka") / "runs"
    done = genelab(*train_args(log_dir, demos))
    assert done.returncode == 0, done.stdout + done.stderr
    return log_dir


def killed(args: list[str], when: Path) -> None:
    """Start a command and kill all of it once a file is there."""
    process = subprocess.Popen(
        command(*args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 300
    while not when.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_collection_goes_on_to_the_same_bytes(demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "demos.safetensors"
    killed([*COLLECT, "--out", str(out)], tmp_path / "demos.safetensors.partial")
    assert not out.exists()
    assert genelab(*COLLECT, "--out", str(out)).returncode == 0
    assert out.read_bytes() == demos.read_bytes()
    assert not (tmp_path / "demos.safetensors.partial").exists()


def test_a_finished_collection_is_not_repeated_and_another_not_overwritten(demos: Path) -> None:
    before = demos.stat().st_mtime_ns
    again = genelab(*COLLECT, "--out", str(demos))
    assert again.returncode == 0
    assert "has been collected already" in again.stdout
    other = genelab(*COLLECT, "--seed", "7", "--out", str(demos))
    assert other.returncode == 2
    assert "holds other demonstrations" in other.stderr
    assert demos.stat().st_mtime_ns == before


def test_half_an_episode_is_refused(tmp_path: Path) -> None:
    done = genelab("collect-demos", TASK, "--steps", "150", "--out", str(tmp_path / "demos.safetensors"))
    assert done.returncode == 2
    assert "--steps 150: must be a multiple of 100" in done.stderr
    assert list(tmp_path.iterdir()) == []


CREEP = ("--set", "env.robot.gravity_compensation=0.0")


def test_demonstrations_of_another_environment_fit_that_training_alone(tmp_path: Path) -> None:
    out, runs = tmp_path / "creep.safetensors", tmp_path / "runs"
    done = genelab("collect-demos", TASK, "--num-envs", str(ENVS), "--steps", "100", *CREEP, "--out", str(out))
    assert done.returncode == 0, done.stderr
    own = genelab(*train_args(runs, out), "--dry-run")
    assert own.returncode == 2
    assert "env.robot.gravity_compensation = 0.0, the training has 1.0; collect it again, with the" in own.stderr
    assert genelab(*train_args(runs, out, *CREEP), "--dry-run").returncode == 0
    # The same command finds them; without --set they are others.
    again = ("collect-demos", TASK, "--num-envs", str(ENVS), "--steps", "100", "--out", str(out))
    assert "has been collected already" in genelab(*again, *CREEP).stdout
    assert "holds other demonstrations" in genelab(*again).stderr


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("train.num_envs=8", "--set train.num_envs: must be a path in env"),
        ("agent.gamma=0.9", "--set agent.gamma: must be a path in env; the rest is no part of what is demonstrated"),
        ("env.robot.gravity=0", "--set env.robot.gravity: unknown path; nearest: "),
    ],
)
def test_what_changes_no_demonstration_is_refused(tmp_path: Path, assignment: str, told: str) -> None:
    done = genelab("collect-demos", TASK, "--set", assignment, "--out", str(tmp_path / "demos.safetensors"))
    assert done.returncode == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_file_can_be_inspected(demos: Path) -> None:
    done = genelab("inspect", str(demos))
    assert done.returncode == 0, done.stderr
    assert "12 episodes, return" in done.stdout
    assert "goal_minus_cube" in done.stdout


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


def test_a_killed_training_ends_with_the_same_weights(sweep: Path, demos: Path, tmp_path: Path) -> None:
    log_dir = tmp_path / "runs"
    killed(train_args(log_dir, demos), log_dir / "seed_1" / "model_5.zip")
    done = genelab(*train_args(log_dir, demos))
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights(log_dir / "seed_1") == weights(sweep / "seed_1")
    # Times apart.
    clock = {"sample_s"}

    def rows(folder: Path) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k not in clock} for row in curve(folder)]

    assert rows(log_dir / "seed_1") == rows(sweep / "seed_1")


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_the_policy_is_exported_with_named_inputs(sweep: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "policy"
    done = genelab("export", TASK, str(sweep / "seed_1" / "model.zip"), "--format", kind, "--out", str(out))
    assert done.returncode == 0, done.stderr
    told = read(tmp_path / "policy.metadata.json")
    inputs = [told["observation"], *told["goals"]]
    assert [each["input"]["name"] for each in inputs] == ["observation", "achieved_goal", "desired_goal"]
    assert [each["input"]["shape"][1] for each in inputs] == [35, 3, 3]
    assert told["parity"]["passed"]


def test_stable_baselines3_opens_the_file_itself(sweep: Path) -> None:
    from gymnasium import spaces
    from stable_baselines3 import SAC

    from genelab.learn.sb3.checkpoint import load

    path = sweep / "seed_1" / "model.zip"
    told = load(path)
    model = SAC.load(path, custom_objects={"replay_buffer_class": None, "replay_buffer_kwargs": {}}, device="cpu")
    assert isinstance(model.observation_space, spaces.Dict)
    own = model.policy.actor.state_dict()
    assert all(np.array_equal(own[name].numpy(), tensor.numpy()) for name, tensor in told.actor.items())


def test_a_file_that_carries_code_is_refused_and_does_not_run(sweep: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (mark,))

    run = tmp_path / "runs" / "seed_1"
    shutil.copytree(sweep / "seed_1", run)
    packed = io.BytesIO()
    with zipfile.ZipFile(run / "model.zip") as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, cloudpickle.dumps(Trap()) if name == "policy.pth" else old.read(name))
    (run / "model.zip").write_bytes(packed.getvalue())
    done = genelab("eval", TASK, str(run / "model.zip"), "--episodes", "1")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not mark.exists()


def test_a_checkpoint_of_the_other_backend_is_refused(sweep: Path, tmp_path: Path) -> None:

    from genelab.learn.rsl_rl.checkpoint import save

    run = tmp_path / "runs" / "seed_1"
    shutil.copytree(sweep / "seed_1", run)
    layout = {group: [{"name": "a", "start": 0, "stop": 1}] for group in ("policy", "critic")}
    weights = {"mlp.0.weight": torch.zeros(1, 1)}
    save(run / "model_final.pt", Checkpoint(read(run / "run.json")["config_sha256"], 1, layout, weights, weights))
    done = genelab("eval", TASK, str(run / "model_final.pt"), "--episodes", "1")
    assert done.returncode == 2
    assert "rsl_rl" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_demonstration_file_is_no_silent_cold_start(tmp_path: Path) -> None:
    done = genelab("train", TASK, *SMALL, "--log_dir", str(tmp_path / "runs"))
    assert done.returncode == 2
    assert f"give --set agent.demo_path=FILE or {VARIABLE}=FILE" in done.stderr
    gone = genelab(*train_args(tmp_path / "runs", tmp_path / "gone.safetensors"))
    assert gone.returncode == 2
    assert "No such file" in gone.stderr
    assert not (tmp_path / "runs").exists()


def test_demonstrations_of_another_number_of_environments_are_refused(demos: Path, tmp_path: Path) -> None:
    args = train_args(tmp_path / "runs", demos)
    args[args.index("--num-envs") + 1] = "8"
    args[args.index("agent.learning_starts=404")] = "agent.learning_starts=804"
    done = genelab(*args)
    assert done.returncode == 2
    assert "has num_envs = 4, the training has 8; collect with --num-envs 8" in done.stderr
    assert not (tmp_path / "runs").exists()
