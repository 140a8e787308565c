import os
from pathlib import Path

import pytest

from genelab.cli import run

TASK = "GeneLab-Inverted-Pendulum-v1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "1,1"], "given twice: 1"),
        (["--seeds", "-1"], "greater than or equal to 0"),
        (["--seeds", "1,two"], "valid integer"),
        (["--seed", "1", "--seeds", "2"], "--seed and --seeds exclude each other"),
        (["--seed", "1,2"], "--seed takes one seed"),
        (["--num-envs", "8", "--set", "train.num_envs=16"], "--set train.num_envs: given by --num-envs too"),
        (["--iterations", "9", "--set", "train.iterations=9"], "--set train.iterations: given by --iterations too"),
        (["--set", "env.sim.dt=0.1", "--set", "env.sim.dt=0.2"], "--set env.sim.dt: given twice"),
        (["--iterations", "9", "--iterations", "9"], "--iterations: given twice"),
        (["--log-dir", "a", "--log_dir=b"], "--log-dir: given twice"),
        (["--device", "gpu"], "--device"),
        (["--log_dir", "{file}/x"], "is not a directory"),
        (
            ["--set", 'env.rewards.pole_angle.params.joints=["wheel"]'],
            "params.joints = ['wheel']: unknown joint 'wheel'",
        ),
        (["--set", "env.disturbances.push.params.velocity_range=[1, -1]"], "velocity_range = [1.0, -1.0]: must be"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    assert run(["train", TASK, *(option.format(file="file") for option in options)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert os.listdir() == ["file"]  # noqa: PTH208


def test_a_dry_run_tells_the_plan_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--seed", "4", "--num_envs", "64", "--iterations", "7", "--threads", "2", "--device", "cpu"]
    assert run(["train", TASK, *options, "--dry-run"]) == 0
    told = capsys.readouterr().out
    for shown in (
        f"task       {TASK} (version 1)",
        "override   train.iterations: 150 -> 7",
        "override   train.num_envs: 4096 -> 64",
        "budget     7 iterations x 24 steps x 64 environments",
        "device     cpu, 2 CPU thread(s) per seed",
        f"directory  runs/{TASK}",
        "seed 4     train: new",
    ):
        assert shown in told
    assert list(tmp_path.iterdir()) == []
