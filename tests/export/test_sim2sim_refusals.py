"""What `genelab sim2sim` and `genelab video` refuse, before a scene is built or while it is."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genelab.cli import run
from genelab.export.export import metadata_path
from genelab.runs.run_dir import RunDir

from .conftest import TASK, Exported

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.slow]

Said = Callable[[int, list[str]], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs a command line that must end with a code; returns its one line."""

    def check(code: int, words: list[str]) -> str:
        assert run(words) == code
        *phases, line = capsys.readouterr().err.strip().splitlines()
        assert all(re.match(r"\d{4}-\d\d-\d\dT", phase) for phase in phases), phases
        return line

    return check


@pytest.fixture
def policy(exported: Exported, tmp_path: Path) -> Path:
    """A policy of the run with its contract, to be damaged."""
    source = exported("onnx")
    for path in (source, metadata_path(source)):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / source.name


def _edit(policy: Path, change: Callable[[dict[str, Any]], None]) -> None:
    contract = json.loads(metadata_path(policy).read_text())
    change(contract)
    metadata_path(policy).write_text(json.dumps(contract))


def _words(policy: Path) -> list[str]:
    return ["sim2sim", TASK, str(policy), "--episodes", "2", "--num-envs", "2"]


def test_a_policy_without_a_file_or_a_contract(said: Said, policy: Path) -> None:
    metadata_path(policy).unlink()
    assert f"has no '{policy.name}.metadata.json' beside it" in said(2, _words(policy))
    policy.unlink()
    assert f"policy '{policy}' does not exist" in said(2, _words(policy))


def test_a_changed_policy(said: Said, policy: Path) -> None:
    policy.write_bytes(policy.read_bytes() + b"0")
    assert "its contract" in said(2, _words(policy))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(task="Other-v0"), f"task in its contract is not that of task '{TASK}': 'Other-v0', not"),
        (lambda c: c["action"]["joints"][0].update(kp=7.0), "action in its contract is not that of task"),
        (lambda c: c["timing"].update(decimation=9), "timing in its contract is not that of task"),
        (lambda c: c["robot"].update(model_sha256="0" * 64), "robot in its contract is not that of task"),
        (lambda c: c["robot"].pop("passive"), "robot.passive"),
        (lambda c: c["observation"]["terms"][0].update(scale=2.0), "input 'obs' is laid out otherwise"),
        (lambda c: c["observation"]["terms"][0].update(age=1), "has no newest frame of 'joint_pos'"),
        (lambda c: c["observation"].pop("terms"), "terms"),
    ],
)
def test_a_contract_of_something_else(
    said: Said, policy: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    _edit(policy, change)
    line = said(2, _words(policy))
    assert told in line
    assert policy.name in line


def test_a_record_cannot_be_written_over_a_directory(said: Said, run_dir: RunDir, tmp_path: Path) -> None:
    """Told before the evaluation and not behind it."""
    assert "it is a directory" in said(2, ["eval", TASK, str(run_dir.final_checkpoint), "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "clip.avi"], "--out clip.avi: must end in .mp4"),
        (["--out", "nowhere/clip.mp4"], "'nowhere' is not a directory"),
        (["--out", "folder.mp4"], "--out folder.mp4: it is a directory"),
        (["--out", "clip.mp4", "--seconds", "inf"], "--seconds"),
    ],
)
def test_a_film_that_cannot_be(
    said: Said, run_dir: RunDir, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = str(run_dir.final_checkpoint.resolve())
    monkeypatch.chdir(tmp_path)
    Path("folder.mp4").mkdir()
    assert told in said(2, ["video", TASK, checkpoint, *words])
    assert not Path("clip.mp4").exists()
