"""Real trainings on a disk that fills up: one clear line, and the same command finishes once there is space."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import command, genelab, read, train_args, weights
from tests.robust.disk import SmallDisk, small_disk
from tests.robust.kill_checks import curve

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]


def _fill_when(moment: Callable[[], bool], disk: SmallDisk, pages: int, args: list[str]) -> str:
    """Start a command, fill the disk at a moment, and return what the command said before it failed."""
    process = subprocess.Popen(command(*args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 300
    while not moment():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.002)
    disk.fill(pages)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1, output
    lines = [line for line in output.splitlines() if "cannot write" in line]
    assert lines, output
    assert all("no space left" in line for line in lines), output
    assert "Traceback" not in output
    return output


def _require_whole(run: Path) -> None:
    """Every file under its final name is whole; the row that met the end of the disk is half at most."""
    for path in run.rglob("*.json"):
        json.loads(path.read_text())
    rows = [json.loads(line) for line in (run / "curve.jsonl").read_text().split("\n")[:-1]]
    assert [row["iteration"] for row in rows] == list(range(len(rows)))
    assert list(run.rglob(".*.tmp")) == []


def test_a_disk_that_fills_up_at_every_stage(sweep: Path, tmp_path: Path):
    """A checkpoint, then everything while training, then the record of the evaluation."""
    with small_disk(tmp_path / "disk", "16m") as disk:
        log_dir = disk.path / "runs"
        run = log_dir / "seed_1"
        args = train_args(log_dir)

        def rows() -> int:
            path = run / "curve.jsonl"
            return path.read_text().count("\n") if path.is_file() else 0

        # Small records still fit, a checkpoint does not.
        _fill_when(lambda: rows() >= 1, disk, 4, args)
        _require_whole(run)
        assert not (run / "model_1.pt").exists()
        assert "no space left" in read(run / "run.json")["failure"]["detail"]
        disk.free()

        _fill_when(lambda: (run / "model_1.pt").exists() and rows() >= 3, disk, 0, args)
        state = (run / "resume" / "state.safetensors").read_bytes()
        _require_whole(run)
        disk.free()

        log = run / "train.log"
        before = log.stat().st_size
        _fill_when(lambda: b"episodes of the idle" in log.read_bytes()[before:], disk, 0, args)
        _require_whole(run)
        assert not (run / "eval.json").exists()
        assert (run / "resume" / "state.safetensors").read_bytes() != state
        disk.free()

        done = genelab(*args)
        assert done.returncode == 0, done.stdout + done.stderr
        assert weights(run) == weights(sweep / "seed_1")
        assert curve(run) == curve(sweep / "seed_1")
        assert read(run / "eval.json")["episodes"] == read(sweep / "seed_1" / "eval.json")["episodes"]
