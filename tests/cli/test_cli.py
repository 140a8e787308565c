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
    assert not imported_by(*args) & {"torch", "genesis", "numpy", "scipy", "matplotlib", "rich", "jinja2", "psutil"}


def test_the_table_of_tasks_builds_none() -> None:
    # -X importtime is silent about what importlib.import_module imports.
    code = "import sys; from genelab.cli import run; run(['list']); print(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = result.stderr.split()
    assert "genelab_cartpole" in modules
    assert not [name for name in modules if name.startswith(("pydantic", "genelab_cartpole.", "genelab_unitree."))]


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
def test_dash_and_underscore_are_the_same(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", TASK, "--seeds", "1", option, "here", "--dry_run"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_no_record_can_hold_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reference", "add", "runs", "--entry", "e", "--publisher", "Zo\udceb"]) == 2
    assert capsys.readouterr().err == "error: 'Zo\\udceb': must be text that UTF-8 can hold\n"


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


@pytest.mark.parametrize("args", [["-h"], ["train", "-h"], ["reference", "list", "-h"]])
def test_h_is_help(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == 0
    assert capsys.readouterr().out.startswith("Usage: genelab")


def test_list_fits_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["list"]) == 0
    head, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["TASK", "ROBOT", "BEST", "IDLE", "HOURS"]
    assert [line.split()[0] for line in rest if line.startswith("Gene")] == [
        t for t in task_ids() if t.startswith("Gene")
    ]
    assert max(map(len, rest)) <= 80
    assert rest[-1] == "No published results in 'reference'; --store DIR names another store."


def entry(store: Path, name: str, **changes: object) -> None:
    """Write as much of an entry as `genelab list` reads."""
    metrics = {"success_rate": None, "return_mean": 30.0}
    seed = {"metrics": metrics, "idle_success_rate": None, "idle_return_mean": 3.0, "train_wall_s": 1800.0}
    record = {"entry_id": name, "status": "reference", "task": TASK, "task_version": 1, "variant": None}
    body = record | {"aggregate": {}, "runs": [seed, seed | {"metrics": metrics | {"return_mean": 32.0}}]} | changes
    (store / TASK / name).mkdir(parents=True)
    (store / TASK / name / "entry.json").write_text(json.dumps(body))


def test_list_shows_the_best_published_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry(tmp_path, "good")
    worse = {"metrics": {"success_rate": None, "return_mean": 9.0}, "idle_return_mean": 3.0, "train_wall_s": 1.0}
    entry(tmp_path, "worse", runs=[worse])
    entry(tmp_path, "preview", status="preview", runs=[])
    entry(tmp_path, "incomplete", aggregate=None, runs=[])
    assert run(["list", "--store", str(tmp_path)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(TASK)]
    assert line.split()[-3:] == ["31.000", "3.000", "0.5"]
    # What the task was before is another task.
    reached = {"metrics": {"success_rate": 0.5}, "idle_success_rate": 0.0, "train_wall_s": 3600.0}
    entry(tmp_path, "newer", task_version=2, runs=[reached])
    assert run(["list", "--store", str(tmp_path)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(TASK)]
    assert line.split()[-3:] == ["50.0%", "0.0%", "1.0"]


def test_list_names_a_broken_entry_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry(tmp_path, "broken", runs=[{}])
    assert run(["list", "--store", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert TASK in captured.out
    assert captured.err == f"error: '{tmp_path / TASK / 'broken' / 'entry.json'}': is no entry (KeyError: 'metrics')\n"


def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str) -> list[str]:
    """What bash is offered at the end of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_GENELAB_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit):
        run([])
    return [item.partition(",")[2] for item in capsys.readouterr().out.split()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("genelab doc", ["doctor"]),
        ("genelab info genelab-inverted", ["GeneLab-Inverted-Pendulum-v0", "GeneLab-Inverted-Pendulum-v1"]),
        ("genelab train Genelab-Velocity-Flat-Unitree-Go1-v0 --variant ", ["cpu"]),
        (f"genelab train {TASK} --variant ", ["sb3"]),
        (f"genelab info {TASK} env.rew", ["env.rewards.", "env.reward_per"]),
        (f"genelab train {TASK} --set train.n", ["train.num_envs="]),
        ("genelab train no-such-task --set train.n", []),
    ],
)
def test_completion(
    line: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed(monkeypatch, capsys, line) == offered


def test_list_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["id"] == TASK)
    best = row.pop("best")
    assert best["metric"] == "return"
    assert best["mean"] > best["idle"]
    assert row == {
        "id": TASK,
        "task_version": 1,
        "robot": "Cart and pole",
        "iterations": 150,
        "num_envs": 4096,
        "variants": ["sb3"],
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
