import functools
import hashlib
import json
from pathlib import Path

import pytest

from genelab import registry
from genelab.cli import run
from genelab.config.choices import choices
from genelab.records.seed_files import read_task
from genelab.registry import register_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import local
from tests.config.choosy import CLIP, SPEED, made, task_with_choices
from tests.sweep.launch import ASSIGNMENTS, WORKER

pytestmark = pytest.mark.slow

DIGEST = hashlib.sha256(b"steps").hexdigest()
SMALL = [word for assignment in ASSIGNMENTS for word in ("--set", assignment)]


@pytest.fixture(autouse=True)
def choosy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is registered, its workers are fakes, and a clip lies in the working directory."""
    task = task_with_choices()
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))
    register_task(task.id, lambda: task, robot="Cart", summary=task.summary)
    monkeypatch.setattr(local, "LocalExecutor", functools.partial(local.LocalExecutor, WORKER))
    monkeypatch.chdir(tmp_path)
    Path("walk.npz").write_text("steps")


def test_training_without_a_choice_exits_2_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--dry-run"]):
        assert run(["train", "Choosy-v0", "--set", f"{SPEED}=2", *more]) == 2
        error = capsys.readouterr().err
        assert f"give --set {CLIP}=FILE (motion clip)" in error
        assert error.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["walk.npz"]


def test_the_resolved_value_is_told_and_stored(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "Choosy-v0", "--seed", "1", *SMALL, "--set", f"{CLIP}=walk.npz", "--set", f"{SPEED}=2"]
    expected = [
        f'choice     {CLIP}: "walk.npz" (motion clip, sha256 {DIGEST})',
        f"choice     {SPEED}: 2 (speed, m/s)",
        f'override   {CLIP}: null -> "walk.npz"',
    ]
    for more in (["--dry-run"], []):
        assert run([*command, *more]) == 0
        assert set(expected) <= set(capsys.readouterr().out.splitlines())
    run_dir = RunDir(Path("runs/Choosy-v0/seed_1"))
    assert {o.path: o.new for o in run_dir.load().overrides if o.old is None} == {CLIP: "walk.npz", SPEED: 2}
    params = json.loads((run_dir.params / "env.json").read_text())["rewards"]["track"]["params"]
    assert params["clip"] == {
        "what": "motion clip",
        "kind": "file",
        "variable": None,
        "value": "walk.npz",
        "sha256": DIGEST,
    }
    # The snapshot alone says what was chosen: an evaluation or an export asks for nothing again.
    assert read_task(run_dir.params).env == made(Path("walk.npz"), 2).env
    # It takes the copy that the run keeps.
    assert dict(choices(run_dir.task()))[CLIP].value == f"runs/Choosy-v0/files/{DIGEST}.npz"


def test_going_on_with_another_content_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "Choosy-v0", "--seed", "1", *SMALL, "--set", f"{CLIP}=walk.npz", "--set", f"{SPEED}=2"]
    assert run(command) == 0
    assert run(command) == 0
    Path("walk.npz").write_text("other steps")
    assert run(command) == 2
    assert f'{CLIP}.sha256: "{DIGEST}" -> ' in capsys.readouterr().err
