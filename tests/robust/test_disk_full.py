"""Each kind of file on a disk that is full: one clear line, the file of before intact, and no half one."""

import json
import math
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch

from genelab.cli import run as genelab
from genelab.config.run import ExecutionCfg
from genelab.errors import RunError
from genelab.learn import checkpoint as checkpoints
from genelab.learn.guard import Fault, FaultError
from genelab.learn.rsl_rl.checkpoint import save as save_checkpoint
from genelab.learn.state import load_state, save_state
from genelab.records.files import read_record
from genelab.records.guard import SCHEMA, GuardRecord
from genelab.records.run import RunRecord
from genelab.records.sweep import SweepRecord
from genelab.runs.curve import CurveWriter
from genelab.runs.files import write_record
from genelab.runs.lock import LOCK_NAME, locked
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors.local import LocalExecutor
from genelab.worker.guard_report import TENSORS, write_report
from genelab.worker.loggers import RunFacts, TensorBoard
from tests.records.factory import everything, make_sweep
from tests.robust.disk import SmallDisk, small_disk
from tests.robust.trainers import make_run, ppo_trainer


@pytest.fixture
def disk(tmp_path: Path) -> Generator[SmallDisk]:
    with small_disk(tmp_path / "disk", "1m") as mounted:
        yield mounted


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return make_sweep(tmp_path / "sweep", seeds=(1, 2))


def fails_on_a_full_disk(disk: SmallDisk, named: str, write: Callable[[], object], leave_pages: int = 0) -> None:
    """`write` fails with one line that names the file, changes no file, and succeeds once there is space."""
    disk.fill(leave_pages)
    before = everything(disk.path)
    with pytest.raises(RunError, match="no space left") as caught:
        write()
    assert everything(disk.path) == before
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    disk.free()
    write()


@pytest.mark.parametrize("leave_pages", [0, 2])
def test_a_checkpoint(disk: SmallDisk, leave_pages: int) -> None:
    path = disk.path / "model.pt"

    def save(value: float) -> None:
        weights = {"w": torch.full((100, 100), value)}
        layout = {group: [{"name": "all", "start": 0, "stop": 8}] for group in ("policy", "critic")}
        save_checkpoint(path, checkpoints.Checkpoint("a" * 64, 1, layout, weights, weights))

    save(1.0)
    fails_on_a_full_disk(disk, "model.pt", lambda: save(2.0), leave_pages)
    assert checkpoints.load(path).actor["w"][0, 0] == 2.0


def test_a_resume_state(disk: SmallDisk) -> None:
    path = disk.path / "state"

    def save(value: float) -> None:
        save_state(path, "x", {"step": torch.full((10_000,), value)})

    save(1.0)
    fails_on_a_full_disk(disk, "state", lambda: save(0.0), 3)
    assert load_state(path, "x")["step"].sum() == 0


@pytest.mark.parametrize(("name", "model"), [("seed_1/run.json", RunRecord), ("sweep.json", SweepRecord)])
def test_a_record(disk: SmallDisk, sweep: Path, name: str, model: type[RunRecord] | type[SweepRecord]) -> None:
    shutil.copytree(sweep, disk.path / "sweep")
    path = disk.path / "sweep" / name
    record = read_record(path, model).replace(command=("genelab", "x" * 5000))
    fails_on_a_full_disk(disk, path.name, lambda: write_record(path, record), 1)
    assert read_record(path, model) == record


def test_a_page_and_its_pictures(
    disk: SmallDisk, sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, docs = tmp_path / "reference", disk.path / "docs"
    assert genelab(["reference", "add", str(sweep), "--entry", "first", "--store", str(store)]) == 0
    render = ["render", "--store", str(store), "--docs", str(docs)]
    assert genelab(render) == 0
    whole = everything(docs)
    for name in whole:
        (docs / name).write_text("old")
        disk.fill()
        capsys.readouterr()
        assert genelab(render) == 1
        error = capsys.readouterr().err
        assert f"{name}': no space left" in error
        assert error.count("\n") == 1
        assert everything(docs) == {**whole, name: b"old"}
        disk.free()
        assert genelab(render) == 0
        assert everything(docs) == whole


@pytest.mark.parametrize("leave_pages", [0, 3, 12, 16])
def test_a_new_entry(disk: SmallDisk, sweep: Path, capsys: pytest.CaptureFixture[str], leave_pages: int) -> None:
    store = disk.path / "reference"
    add = ["reference", "add", str(sweep), "--store", str(store), "--entry"]
    assert genelab([*add, "first"]) == 0
    disk.fill(leave_pages)
    before = everything(disk.path)
    capsys.readouterr()
    assert genelab([*add, "second"]) == 1
    error = capsys.readouterr().err
    assert "no space left" in error
    assert str(store) in error
    assert error.count("\n") == 1
    assert everything(disk.path) == before
    assert {path.name for path in (store / "Toy-v1").iterdir()} - {LOCK_NAME} == {"first"}
    disk.free()
    assert genelab([*add, "second"]) == 0
    assert genelab(["check", str(store)]) == 0


@pytest.mark.parametrize("leave_pages", [0, 1, 3])
def test_a_report_of_a_guard(disk: SmallDisk, leave_pages: int) -> None:
    """The report of an earlier attempt at the same iteration stays whole until the new one is."""
    run, trainer = make_run(disk.path, 1), ppo_trainer()

    def report(tensor: str) -> Path:
        error = FaultError(
            Fault("update", tensor, math.nan, "must be finite", "x", iteration=8), {tensor: torch.ones(9)}
        )
        error.start = trainer.state_dict()
        return write_report(run, trainer, error)

    folder = report("loss/value")
    fails_on_a_full_disk(disk, "guard", lambda: report("loss/kl"), leave_pages)
    assert [path.name for path in folder.parent.iterdir()] == ["8"]
    assert read_record(folder / "fault.json", GuardRecord).tensor == "loss/kl"
    assert load_state(folder / TENSORS, SCHEMA).keys() == {"loss/kl"}


def test_what_a_killed_writer_left_of_a_report_is_removed(tmp_path: Path) -> None:
    run, trainer = make_run(tmp_path, 1), ppo_trainer()
    for name in (".draft-8", ".draft-old-8", ".draft-3"):
        (run.path / "guard" / name).mkdir(parents=True)
        (run.path / "guard" / name / TENSORS).write_bytes(b"half")
    error = FaultError(Fault("update", "loss/kl", math.nan, "must be finite", "x", iteration=8), {})
    error.start = trainer.state_dict()
    folder = write_report(run, trainer, error)
    assert [path.name for path in folder.parent.iterdir()] == ["8"]
    assert f"replay-guard {folder}" in (folder / "summary.txt").read_text()


def test_a_lock(disk: SmallDisk) -> None:
    disk.fill()
    with pytest.raises(RunError, match=r"\.lock': no space left"), locked(disk.path):
        pass


def _append(writer: CurveWriter, first: int, count: int) -> None:
    """Append so many rows."""
    for iteration in range(first, first + count):
        writer.append({"iteration": iteration, "episode_return": 1.0})


def test_a_learning_curve(disk: SmallDisk) -> None:
    path = disk.path / "curve.jsonl"
    # The rest of its first page, and then there is none.
    writer = CurveWriter(path, 0)
    _append(writer, 0, 10)
    disk.fill()
    with pytest.raises(RunError, match=r"curve\.jsonl': no space left"):
        _append(writer, 10, 1000)
    disk.free()
    rows = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    assert [row["iteration"] for row in rows] == list(range(len(rows)))
    assert len(rows) > 10
    again = CurveWriter(path, len(rows) - 1)
    _append(again, len(rows) - 1, 2)
    again.close()
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == list(range(len(rows) + 1))


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_tensorboard_events(disk: SmallDisk) -> None:
    """A thread writes them: what it meets must come up, and must not leave anyone waiting."""
    logger = TensorBoard(RunFacts(disk.path, "id", "name", "group", {}), [])
    disk.fill()

    def log() -> None:
        for iteration in range(1000):
            logger.log({"Train/mean_reward": 1.0}, iteration)
            logger.flush()

    with pytest.raises(RunError, match=r"events\.out\.tfevents': no space left"):
        log()
    disk.free()


def test_a_log(disk: SmallDisk, tmp_path: Path) -> None:
    disk.fill()
    with pytest.raises(RunError, match=r"train\.log': no space left"):
        LocalExecutor(["true"]).start("train", RunDir(disk.path), ExecutionCfg())
