import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from genelab.cli import run
from genelab.config.overrides import apply_overrides
from genelab.records.check import check_path
from genelab.registry import get_task
from tests.records.factory import planned_run
from tests.robust.kill_checks import curve

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TASK = "GeneLab-Inverted-Pendulum-v1"
SMALL = ["--engine", "mujoco", "--num-envs", "4", "--seeds", "1", "--set", "protocol.episodes=2"]
SET = ["env.sim.engine=mujoco", "train.num_envs=4", "train.iterations=3", "protocol.episodes=2"]
"""The same, and the budget of an extension, as --set takes them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a sweep `short` of one seed, two iterations long."""
    path = tmp_path_factory.mktemp("extend")
    assert run(["train", TASK, *SMALL, "--iterations", "2", "--log-dir", str(path / "short"), "--no-eval"]) == 0
    return path


def record(sweep: Path) -> dict[str, Any]:
    return json.loads((sweep / "seed_1" / "run.json").read_text())


def extend(folder: Path, *more: str) -> int:
    words = ["train", TASK, "--extend", str(folder / "short"), "--log-dir", str(folder / "long"), "--no-eval"]
    return run([*words, *more])


def test_an_extension_is_a_longer_training_to_the_last_bit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert extend(folder, "--iterations", "3", "--dry-run") == 0
    assert f"seed 1     train: goes on from '{folder / 'short' / 'seed_1'}'" in capsys.readouterr().out
    assert not (folder / "long").exists()
    before = (folder / "short" / "seed_1" / "run.json").read_bytes()
    assert extend(folder, "--iterations", "3") == 0
    whole = ["train", TASK, *SMALL, "--iterations", "3", "--log-dir", str(folder / "whole"), "--no-eval"]
    assert run(whole) == 0
    long, direct, short = (record(folder / name) for name in ("long", "whole", "short"))
    assert long["checkpoint"] == direct["checkpoint"]
    assert long["config_sha256"] == direct["config_sha256"]
    assert len(curve(folder / "long" / "seed_1")) == 3
    assert curve(folder / "long" / "seed_1") == curve(folder / "whole" / "seed_1")
    assert (long["extends"]["sha256"], long["extends"]["iteration"]) == (short["checkpoint"]["sha256"], 2)
    assert (folder / "long" / "seed_1" / long["extends"]["path"]).is_file()
    assert [attempt["to_iteration"] for attempt in long["attempts"]] == [2, 3]
    by_path = {override["path"]: (override["old"], override["new"]) for override in long["overrides"]}
    assert by_path["train.iterations"] == (150, 3)
    assert (folder / "short" / "seed_1" / "run.json").read_bytes() == before
    [finding] = check_path(folder / "long" / "seed_1").findings
    assert finding.message == "seed 1 is not finished: its status is 'trained'"
    # The same command again has nothing to do.
    assert extend(folder, "--iterations", "3") == 0
    assert record(folder / "long")["attempts"] == long["attempts"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--iterations", "2"], "--iterations 2: must be above the 2 of"),
        ([], "--extend needs --iterations: how many in all"),
        (["--iterations", "4", "--set", "agent.lam=0.9"], "--set cannot change what --extend goes on with"),
        (["--iterations", "4", "--engine", "genesis"], "--engine cannot change what --extend goes on with"),
        (["--iterations", "4", "--threads", "2"], "seed 1 was started with other options"),
        (["--iterations", "4", "--seeds", "1,2"], "run.json"),
    ],
)
def test_what_cannot_be_extended_is_one_line(
    more: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", TASK, "--extend", str(folder / "short"), "--log-dir", str(folder / "other"), *more]
    assert run(words) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert message in told
    assert not (folder / "other").exists()


def test_without_a_state_or_with_another_policy_nothing_goes_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path
    shutil.copytree(folder / "short", path / "short")
    with (path / "short" / "seed_1" / "model_final.pt").open("ab") as file:
        file.write(b"x")
    assert extend(path, "--iterations", "3") == 2
    assert "model_final.pt was changed since it was trained" in capsys.readouterr().err
    shutil.rmtree(path / "short" / "seed_1" / "resume")
    assert extend(path, "--iterations", "3") == 2
    assert "has no state to go on from, resume/state.safetensors" in capsys.readouterr().err


def test_a_seed_that_was_planned_there_before_is_not_said_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, overrides = apply_overrides(get_task(TASK), SET)
    planned_run(folder / "planned" / "seed_1", task, seed=1, overrides=overrides)
    words = ["train", TASK, "--extend", str(folder / "short"), "--log-dir", str(folder / "planned"), "--no-eval"]
    assert run([*words, "--iterations", "3"]) == 2
    assert "planned/seed_1' holds a seed that goes on from nothing; choose another --log-dir" in capsys.readouterr().err


def test_a_draft_that_was_left_behind_is_removed(folder: Path) -> None:
    leftover = folder / "cleared" / ".draft-x"
    leftover.mkdir(parents=True)
    (leftover / "state.safetensors").write_bytes(b"x")
    words = ["train", TASK, "--extend", str(folder / "short"), "--log-dir", str(folder / "cleared"), "--no-eval"]
    assert run([*words, "--iterations", "3"]) == 0
    assert sorted(path.name for path in (folder / "cleared").iterdir()) == [".lock", "seed_1", "sweep.json"]


def test_a_longer_budget_in_the_same_place_says_how(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", TASK, *SMALL, "--iterations", "5", "--log-dir", str(folder / "short"), "--no-eval"]) == 2
    assert f"give --extend {folder / 'short'} and another --log-dir" in capsys.readouterr().err
