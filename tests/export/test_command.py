"""`genelab export`: what it writes, and one line for each kind of bad input."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genelab.cli import run
from genelab.runs.run_dir import RunDir

from .conftest import TASK, Exported, MakeRun, save_round_trip

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.slow]

Refused = Callable[..., str]


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Runs an export that must fail and leave nothing; returns its one line."""

    def call(checkpoint: Path, *, task: str = TASK, out: Path | None = None, code: int = 2) -> str:
        out = out or tmp_path / "policy.pt"
        before = sorted(tmp_path.rglob("*"))
        capfd.readouterr()
        assert run(["export", task, str(checkpoint), "--format", "torchscript", "--out", str(out)]) == code
        printed = capfd.readouterr()
        assert printed.out == ""
        *phases, line = printed.err.splitlines()
        assert all(" exporting to " in phase for phase in phases)
        assert line.startswith("error: ")
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return call


@pytest.mark.parametrize("file_format", ["torchscript", "onnx"])
def test_a_process_of_its_own_prints_two_lines(
    file_format: str, genelab: Callable[..., object], exported: Exported, run_dir: RunDir, tmp_path: Path
):
    out = tmp_path / f"policy.{file_format}"
    done = genelab("export", TASK, str(run_dir.final_checkpoint), "--format", file_format, "--out", str(out))
    assert done.returncode == 0  # pyright: ignore
    assert done.stderr.endswith(f"exporting to {file_format} and comparing\n")  # pyright: ignore
    wrote, parity = done.stdout.splitlines()  # pyright: ignore
    assert wrote == f"wrote {out} and {out.name}.metadata.json"
    assert parity.startswith("parity  ")
    assert "on 120 recorded and 64 random observations" in parity
    if file_format == "onnx":
        assert out.read_bytes() == exported("onnx").read_bytes()


def test_an_earlier_export_is_replaced_with_its_contract(run_dir: RunDir, tmp_path: Path):
    out, metadata = tmp_path / "policy.pt", tmp_path / "policy.pt.metadata.json"
    out.write_text("old")
    metadata.write_text("old")
    held = metadata.open()
    assert run(["export", TASK, str(run_dir.final_checkpoint), "--format", "torchscript", "--out", str(out)]) == 0
    # A reader that had the old file keeps it: it was replaced, not rewritten.
    assert held.read() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, metadata.name]
    assert "genelab/export/2" in metadata.read_text()
    assert len(out.read_bytes()) > 1000


def test_wrong_or_unknown_task(refused: Refused, run_dir: RunDir):
    other = refused(run_dir.final_checkpoint, task="GeneLab-Inverted-Pendulum-v0")
    assert "was trained on 'GeneLab-Inverted-Pendulum-v1', not on 'GeneLab-Inverted-Pendulum-v0'" in other
    assert f"nearest: {TASK}" in refused(run_dir.final_checkpoint, task="GeneLab-Inverted-Pendulum-v9")


def test_checkpoint_missing_torn_or_without_a_run(refused: Refused, make_run: MakeRun, tmp_path: Path):
    run_dir = make_run(tmp_path / "seed_5")
    assert "does not exist" in refused(run_dir.path / "model_7.pt")
    torn = run_dir.path / "model_8.pt"
    torn.write_bytes(run_dir.final_checkpoint.read_bytes()[:1000])
    assert "torn or no safetensors file" in refused(torn)
    stray = tmp_path / "stray.pt"
    shutil.copyfile(run_dir.final_checkpoint, stray)
    assert "no run.json beside it" in refused(stray)


def test_foreign_checkpoint(refused: Refused, make_run: MakeRun, tmp_path: Path):
    run_dir = make_run(tmp_path / "seed_5")
    foreign = make_run(tmp_path / "other", normalization="none")
    shutil.copyfile(foreign.final_checkpoint, run_dir.path / "model_9.pt")
    assert "belongs to config" in refused(run_dir.path / "model_9.pt")


def test_recorded_observations_missing(refused: Refused, make_run: MakeRun, tmp_path: Path):
    run_dir = make_run(tmp_path / "seed_5")
    run_dir.round_trip_file.unlink()
    assert "round_trip.safetensors' does not exist" in refused(run_dir.final_checkpoint)


def test_a_failed_parity_exits_1(refused: Refused, make_run: MakeRun, tmp_path: Path):
    run_dir = make_run(tmp_path / "seed_5")
    save_round_trip(run_dir, {"policy": torch.full((4, 8), 3e38)})
    assert "parity" in refused(run_dir.final_checkpoint, code=1)


def test_nothing_but_an_export_is_overwritten(refused: Refused, make_run: MakeRun, tmp_path: Path):
    run_dir = make_run(tmp_path / "seed_5")
    before = run_dir.final_checkpoint.read_bytes()
    told = f"lies in the directory of a run, '{run_dir.path}'"
    assert told in refused(run_dir.final_checkpoint, out=run_dir.final_checkpoint)
    assert told in refused(run_dir.final_checkpoint, out=run_dir.params / "policy.pt")
    assert run_dir.final_checkpoint.read_bytes() == before
    (tmp_path / "notes.pt").write_text("x")
    assert "is no export" in refused(run_dir.final_checkpoint, out=tmp_path / "notes.pt")
    assert "must end in .pt or" in refused(run_dir.final_checkpoint, out=tmp_path / "policy.onnx")


def test_out_in_the_wrong_place(refused: Refused, run_dir: RunDir, tmp_path: Path):
    model = run_dir.final_checkpoint
    told = refused(model, out=tmp_path / "missing" / "p.pt").replace(f"{tmp_path}/", "")
    assert "'missing' is not a directory" in told
    (tmp_path / "file").write_text("x")
    assert "is not a directory" in refused(model, out=tmp_path / "file" / "p.pt")
    assert "it is a directory" in refused(model, out=tmp_path)
    (tmp_path / "p.pt.metadata.json").mkdir()
    assert "it is a directory" in refused(model, out=tmp_path / "p.pt")
