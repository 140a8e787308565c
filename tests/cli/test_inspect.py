import json
from pathlib import Path

import pytest
import torch

from genelab.cli import run
from genelab.config.choices import choices
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.inspection import rollout
from genelab.records.demos import encode_demos
from genelab.records.inspection import Inspection
from genelab.registry import get_task, registered_tasks, task_ids
from tests.inspection.demo_files import demos, raw_observations, standardised

pytestmark = pytest.mark.slow

TASK = "GeneLab-Inverted-Pendulum-v1"


@pytest.fixture
def unnormalised(tmp_path: Path) -> Path:
    """A demonstration file that claims to be normalised and is not."""
    path = tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(demos(raw_observations(), normalized=True)))
    return path


def test_json_of_a_demonstration_file(unnormalised: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(unnormalised), "--json"]) == 0
    found = Inspection.model_validate_json(capsys.readouterr().out)
    assert (found.kind, found.task, found.normalized, found.rollout) == ("demos", "Example-Reach-v1", True, None)
    assert found.groups[0].flags == ("never_normalised",)


def test_flags_fail_only_where_asked(unnormalised: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(unnormalised)]) == 0
    assert "NEVER NORMALISED" in capsys.readouterr().out
    assert run(["inspect", str(unnormalised), "--strict"]) == 1
    clean = tmp_path / "clean.safetensors"
    good = demos(standardised(raw_observations()), normalized=True, actions=None)
    clean.write_bytes(encode_demos(good))
    assert run(["inspect", str(clean), "--strict"]) == 0
    assert "\n0 flags\n" in capsys.readouterr().out


def test_pictures(unnormalised: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    assert run(["inspect", str(unnormalised), "--json", "--plot", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {"observations_policy.svg", "actions.svg"}
    captured = capsys.readouterr()
    assert json.loads(captured.out)["kind"] == "demos"
    assert captured.err.count("wrote") == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["GeneLab-Inverted-Pendulun-v1"], f"unknown task 'GeneLab-Inverted-Pendulun-v1', nearest: {TASK}"),
        (["missing.safetensors"], "'missing.safetensors' does not exist"),
        (["missing.pt"], "checkpoint 'missing.pt' does not exist"),
        (["tests"], "'tests' holds no run"),
        (["{file}", "--steps", "5"], "--steps is about a rollout"),
        (["{file}", "--num-envs", "64"], "--num-envs is about a rollout"),
        ([TASK, "--steps", "0"], "'--steps': 0: Input should be greater than 0"),
        (["{file}", "--plot", "{file}"], "is not a directory"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    args: list[str], message: str, unnormalised: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", *(arg.format(file=unnormalised) for arg in args)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_task_takes_its_choice_from_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tmp_path / "clip.safetensors"
    clip.write_bytes(b"steps")
    seen: list[TaskSpec] = []

    def inspect_task(task: TaskSpec, *_: object) -> Inspection:
        seen.append(task)
        raise InputError("seen")

    monkeypatch.setattr(rollout, "inspect_task", inspect_task)
    monkeypatch.setenv("GENELAB_MOTION_FILE", str(clip))
    assert run(["inspect", "Genelab-Tracking-Flat-Unitree-G1-v0"]) == 2
    assert dict(choices(seen[0]))["env.parts.motion.params.clip"].resolve() == clip


def makeable() -> list[str]:
    """Tasks that leave no choice open, and two of a benchmark whose tasks are made alike."""
    alike = [task.id for task in registered_tasks() if task.group is not None][2:]
    return [
        task
        for task in task_ids()
        if task not in alike and all(choice.value for _, choice in choices(get_task(task).env))
    ]


@pytest.mark.parametrize("task", makeable())
def test_json_alone_is_on_stdout_for_every_task(task: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever the simulator or its libraries print."""
    small = ("--engine", "mujoco", "--device", "cpu", "--num-envs", "2", "--steps", "2")
    assert run(["inspect", task, *small, "--json"]) == 0
    out, error = capfd.readouterr()
    assert Inspection.model_validate_json(out).task == task
    assert "building 2 environments" in error
    assert "\x1b" not in error


@pytest.mark.e2e
@pytest.mark.sim
@pytest.mark.xdist_group("e2e")
def test_json_of_a_task(genelab, tmp_path: Path) -> None:
    """In Genesis, which prints."""
    small = ("--num-envs", "16", "--steps", "10", "--device", "cpu", "--seed", "7")
    done = genelab("inspect", TASK, *small, "--json", "--strict", "--plot", str(tmp_path))
    # The pole's angular velocity has two dead components, in every rollout.
    assert done.returncode == 1, done.stderr
    found = Inspection.model_validate_json(done.stdout)
    assert (found.kind, found.target, found.task) == ("task", TASK, TASK)
    assert found.rollout is not None
    assert found.rollout.model_dump() == {
        **{"policy": "random", "num_envs": 16, "steps": 10},
        **{"seed": 7, "device": "cpu"},
    }
    assert [group.rows for group in found.groups] == [160] * 3
    assert {path.name for path in tmp_path.iterdir()} == {
        *("observations_policy.svg", "observations_critic.svg", "actions.svg")
    }


def test_json_of_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from genelab.learn.rsl_rl.checkpoint import save
    from tests.export.conftest import create_run, make_checkpoint

    task = get_task(TASK).on("mujoco")
    run_dir = create_run(tmp_path / "seed_5", task)
    torch.manual_seed(0)
    save(run_dir.final_checkpoint, make_checkpoint(task, torch.randn(100, 8)))
    assert run(["inspect", str(run_dir.final_checkpoint), "--num-envs", "4", "--steps", "30", "--json"]) == 0
    found = Inspection.model_validate_json(capsys.readouterr().out)
    assert (found.kind, found.task, found.config_sha256) == ("checkpoint", TASK, run_dir.load().config_sha256)
    assert [group.seen for group in found.groups] == ["normaliser", "normaliser", "action"]
