import errno
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from genelab.cli import COMMANDS, group, run
from genelab.registry import task_ids

TASK = "GeneLab-Inverted-Pendulum-v1"
COLLECT = ("collect-demos", "GeneLab-Franka-Pick-And-Place-v0", "--out", "never.safetensors")


def imported_by(*args: str) -> set[str]:
    """Modules that a command line imports."""
    command = [sys.executable, "-X", "importtime", "-m", "genelab", *args]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}


def test_help_imports_no_command_and_no_pydantic() -> None:
    modules = imported_by("--help")
    assert "genelab.cli" in modules
    assert not {name for name in modules if name.startswith(("genelab.cli.", "genelab.config", "pydantic", "numpy"))}


@pytest.mark.parametrize("args", [["list"], ["info", TASK]])
def test_listing_imports_nothing_heavy(args: list[str]) -> None:
    assert not imported_by(*args) & {"torch", "genesis", "numpy", "scipy", "matplotlib", "rich", "jinja2"}


@pytest.mark.parametrize("name", COMMANDS)
def test_table_and_command_say_the_same(name: str) -> None:
    context = click.Context(group)
    command = group.get_command(context, name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name][1]
    assert all(param.help for param in command.params if isinstance(param, click.Option))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lst"], "no command 'lst'; nearest: list"),
        (["zzz"], "no command 'zzz'; `genelab --help` lists them"),
        (["list", "--jsn"], "No such option '--jsn'"),
        (["info"], "Missing argument 'TASK'"),
        (["info", "GeneLab-Inverted-Pendulun-v1"], f"unknown task 'GeneLab-Inverted-Pendulun-v1', nearest: {TASK}"),
        (["eval", TASK, "x.pt", "--seed", "1", "--seed", "2"], "--seed: given twice"),
        (["train", "no-such-task", "--dry-run"], "unknown task 'no-such-task'"),
        (["train", TASK, "--dry-run", "--set", "train.nm_envs=1"], "unknown path; nearest: train.num_envs"),
        (["eval", TASK, "x.pt", "--seed", "4294967296"], "'--seed': 4294967296: Input should be less than 4294967296"),
        ([*COLLECT, "--set", "agent.gamma=0.9"], "--set agent.gamma: must be a path in env; the rest is no part of"),
        ([*COLLECT, "--set", "env.robot.gravity=0"], "--set env.robot.gravity: unknown path; nearest: "),
        ([*COLLECT, "--steps", "150"], "--steps 150: must be a multiple of 100"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.mark.parametrize("option", ["--log_dir", "--log-dir"])
def test_dash_and_underscore_are_the_same(option: str, genelab, tmp_path: Path) -> None:
    result = genelab("train", TASK, "--seeds", "1", option, "here", "--dry_run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_interrupt_is_exit_code_130(genelab, tmp_path: Path) -> None:
    metadata = tmp_path / "interrupting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: interrupting\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[genelab.tasks]\nx = interrupting:register\n")
    (tmp_path / "interrupting.py").write_text("import signal\ndef register(): signal.raise_signal(signal.SIGINT)\n")
    result = genelab("list", path=tmp_path)
    assert (result.returncode, result.stderr.strip()) == (130, "error: interrupted")


def test_a_home_behind_an_equals_sign_is_expanded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "/nowhere/at/home")
    assert run(["export", TASK, "--out=~", "~/here=there", "--format=onnx"]) == 2
    assert "'~/here=there'" in capsys.readouterr().err
    assert run(["check", "--", "x=~/runs"]) == 2
    assert "'x=/nowhere/at/home/runs' does not exist" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "genelab", "list"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "error: No space left on device: no file named\n"


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 1), (errno.EROFS, 2), (errno.EACCES, 2)])
def test_disk_trouble_has_the_exit_code_it_has_elsewhere(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no", "place")

    monkeypatch.setattr(group, "main", refuse)
    assert run(["list"]) == code
    assert capsys.readouterr().err == "error: no: place\n"


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == task_ids()


def test_list_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["id"] == TASK)
    assert row == {
        "id": TASK,
        "task_version": 1,
        "iterations": 150,
        "num_envs": 4096,
        "variants": [],
        "package": "genelab_cartpole",
        "summary": "Balance one pole on a cart.",
    }


def test_info_shows_of_a_stage_what_differs_from_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "Genelab-Velocity-Flat-Unitree-Go2W-v0"]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("stages.locked.")]
    assert "stages.locked.train.iterations = 6000" in shown
    scale = {".*_(hip|thigh|calf)_joint": 0.25, ".*_wheel_joint": 0.0}
    assert f"stages.locked.env.action.scale = {json.dumps(scale)}  (default 1.0)" in shown
    assert not any("decimation" in line for line in shown)


def test_info_shows_value_default_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", TASK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("env.sim.collision = false  (default true)") + 1].startswith("    Whether contacts are")
    assert "env.sim.dt = 0.005  (default)" in lines
    assert "train.num_envs = 4096" in lines
    assert lines[-2:] == ["    slider [-3.0, 3.0]", "    hinge [-1.2, 1.2]"]


def test_info_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", TASK, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["id"] == TASK
    assert len(shown["config_sha256"]) == 64
    assert shown["joint_ranges"] == {"slider": [-3.0, 3.0], "hinge": [-1.2, 1.2]}
    assert {tuple(field) for field in shown["fields"]} == {("path", "value", "required", "default", "meaning")}
