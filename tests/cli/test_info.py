import json
from pathlib import Path

import pytest

from genelab.cli import run
from genelab.config.override_file import read_overrides
from genelab.config.overrides import apply_overrides
from genelab.config.snapshot import dump
from genelab.registry import get_task

TASK = "GeneLab-Inverted-Pendulum-v1"
GO2W = "Genelab-Velocity-Flat-Unitree-Go2W-v0"


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> list[str]:
    assert run(["info", *args]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_head_says_what_one_wants_to_know_first(capsys: pytest.CaptureFixture[str]) -> None:
    head = shown(capsys, GO2W, "--variant", "cpu")[:30]
    assert "control       50 Hz, in genesis" in head
    assert "episodes      20 s, 1000 control steps" in head
    assert "learner       ppo of rsl_rl" in head
    assert "stage         gait: 1500 iterations x 24 steps x 128 environments" in head
    assert "stage         task itself: 20 iterations x 24 steps x 128 environments" in head
    assert "budget        2640 iterations of all stages; 8,110,080 control steps in all" in head
    [actions] = [line for line in head if line.startswith("actions")]
    assert actions.startswith("actions       16 (joint_targets): FL_hip_joint, ")


@pytest.mark.slow
def test_sizes_are_those_of_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    head = shown(capsys, TASK, "--sizes")[:6]
    # Two joints twice, x, y and z, and one action.
    assert "observations  policy 8: joint_pos, joint_vel, pole_ang_vel, last_action" in head


def test_a_path_shows_what_lies_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, TASK, "env.rewards")
    values = [line for line in lines if not line.startswith(" ")]
    assert values
    assert all(line.startswith("env.rewards.") for line in values)
    assert shown(capsys, TASK, "env.rewards.alive.weight")[0] == "env.rewards.alive.weight = 1.0"


def test_a_meaning_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(shown(capsys, TASK))
    # Of an observation, and of a reward.
    assert text.count("Lowest and highest value") == 2


def test_changed_shows_what_the_task_says_itself(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, TASK, "agent", "--changed")
    assert "agent.lam = 0.98  (default 0.95)" in lines
    assert not any("(default)" in line for line in lines)


def test_changed_of_a_variant_compares_with_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, GO2W, "--variant", "cpu", "--changed")
    assert "train.num_envs = 128  (task 4096)" in lines
    assert not any(line.startswith("env.") for line in lines)


def test_what_is_written_changes_nothing_when_it_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for task_id in (TASK, GO2W, "GeneLab-Franka-Pick-And-Place-v0", "Genelab-Velocity-Rough-Unitree-Go1-v0"):
        file = tmp_path / f"{task_id}.conf"
        assert shown(capsys, task_id, "--write", str(file)) == [f"wrote {file}"]
        task, overrides = apply_overrides(get_task(task_id), [], read_overrides(file))
        assert task == get_task(task_id)
        assert len(overrides) > 50
        assert not any(override.effective for override in overrides)


def test_a_written_part_of_one_task_goes_into_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.conf"
    shown(capsys, TASK, "agent", "--write", str(file))
    changed, _ = apply_overrides(get_task("GeneLab-Double-Inverted-Pendulum-v1"), [], read_overrides(file))
    assert dump(changed.agent) == dump(get_task(TASK).agent)
    assert run(["info", TASK, "agent", "--write", str(file)]) == 2
    assert "exists; choose another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("train.nm_envs = 1", [], "mine.conf:2 train.nm_envs: unknown path; nearest: train.num_envs"),
        ("train.num_envs = 0", [], "mine.conf:2 train.num_envs = 0: Input should be greater than 0"),
        ("train.num_envs", [], "mine.conf:2 'train.num_envs': must be path=value"),
        ("agent.lam = 0.9\n\nagent.lam = 0.8", [], "mine.conf:2 agent.lam: given by mine.conf:4 too"),
        ("agent.lam = 0.9", ["--set", "agent.lam=0.8"], "--set agent.lam: given by mine.conf:2 too"),
        ("train.num_envs = 8", ["--num-envs", "8"], "--num-envs train.num_envs: given by mine.conf:2 too"),
    ],
)
def test_a_file_has_the_errors_of_set(
    text: str,
    more: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.conf").write_text(f"# Mine\n{text}\n")
    assert run(["train", TASK, "--dry-run", "--config", "mine.conf", *more]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert message in captured.err


def test_a_file_changes_what_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.conf").write_text("train.num_envs = 8\nagent.actor.activation = tanh\nagent.lam = 0.98\n")
    assert run(["train", TASK, "--dry-run", "--config", "mine.conf", "--set", "agent.gamma=0.9"]) == 0
    overrides = [line.partition(" ")[2].strip() for line in capsys.readouterr().out.splitlines() if "override" in line]
    assert set(overrides) == {
        "train.num_envs: 4096 -> 8",
        'agent.actor.activation: "elu" -> "tanh"',
        "agent.lam: 0.98 -> 0.98 (no effect)",
        "agent.gamma: 0.99 -> 0.9",
    }


def test_json_of_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", TASK, "train", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)["fields"]
    assert [field["path"] for field in fields][:2] == ["train.num_envs", "train.iterations"]
