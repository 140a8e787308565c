"""Films of a training."""

import json
from pathlib import Path
from typing import Any

import pytest

from genelab.cli import run

pytestmark = pytest.mark.slow


def _trained(folder: Path, *words: str) -> dict[str, Any]:
    sizes = ["--iterations", "3", "--num-envs", "8", "--set", "agent.save_interval=1"]
    task = ["GeneLab-Inverted-Pendulum-v1", "--engine", "mujoco", "--seed", "1", "--no-eval"]
    assert run(["train", *task, *sizes, "--log-dir", str(folder), *words]) == 0
    return json.loads((folder / "seed_1" / "run.json").read_text())


def test_films_leave_the_numbers_of_a_training_as_they_are(tmp_path: Path):
    bare, filmed = tmp_path / "bare", tmp_path / "filmed"
    one, other = _trained(bare), _trained(filmed, "--video-every", "2")
    assert one["checkpoint"]["weights_sha256"] == other["checkpoint"]["weights_sha256"]
    assert not (bare / "seed_1" / "films").exists()
    # Of the second iteration.
    film, log = (filmed / "seed_1" / "films" / f"2.{kind}" for kind in ("mp4", "log"))
    told = log.read_text()
    if "nothing can be drawn on this machine" in told:
        pytest.skip(told)
    assert "100 frames, 25 a second" in told
    assert film.stat().st_size > 1000
    assert sorted(path.name for path in film.parent.iterdir()) == ["2.log", "2.mp4"]
