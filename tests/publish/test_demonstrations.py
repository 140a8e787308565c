"""What an entry tells of the demonstrations behind it."""

import json
from pathlib import Path
from typing import Any

import pytest

from genelab.config.agent import SacCfg
from genelab.config.snapshot import dump
from genelab.publish.render import compose
from genelab.publish.store import add_entry
from genelab.records.check import check_path
from genelab.registry import get_task
from tests.records.factory import edit, make_sweep, make_task

DIGEST = "d" * 64
"""Of the file of demonstrations, which lies somewhere else by now."""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of a task that leaves its demonstrations open, and chose `../demos.safetensors`."""
    franka = get_task("GeneLab-Franka-Pick-And-Place-v0")
    agent, toy = dump(franka.agent), make_task()
    agent["demo_path"] |= {"value": "../demos.safetensors", "sha256": DIGEST}
    changes = {
        "id": toy.id,
        "agent": SacCfg.model_validate(agent),
        "return_ceiling": None,
        "train": toy.train,
        "protocol": toy.protocol,
    }
    folder = make_sweep(tmp_path / "sweep", task=franka.model_copy(update=changes))

    def told(run: dict[str, Any]) -> None:
        run["demonstrations"] = {"sha256": DIGEST, "num_envs": 16, "steps": 300, "seed": 7}
        run["overrides"] += [
            {"path": "agent.demo_path", "old": None, "new": "../demos.safetensors"},
            {"path": "env.decimation", "old": 2, "new": 4},
        ]

    for seed in folder.glob("seed_*"):
        edit(seed / "run.json", told)
    return folder


def _page(tmp_path: Path) -> str:
    assert check_path(tmp_path / "reference").findings == []
    return compose(tmp_path / "reference", tmp_path / "docs").text


def test_an_entry_tells_how_its_demonstrations_were_collected(sweep: Path, tmp_path: Path) -> None:
    add_entry(sweep, "first", tmp_path / "reference")
    page = _page(tmp_path)
    command = "genelab collect-demos Toy-v1 --num-envs 16 --steps 300 --seed 7 --set env.decimation=4"
    assert f"`{command} --out ../demos.safetensors` collects them again" in page
    assert f'agent.demo_path = "../demos.safetensors" (sha256 `{DIGEST}`)' in page
    assert "the digest of a chosen file is part of it" in page
    # What the run tells cannot be told otherwise.
    edit(tmp_path / "reference" / "Toy-v1" / "first" / "entry.json", lambda e: e["demonstrations"].update(seed=8))
    findings = check_path(tmp_path / "reference").findings
    assert any("demonstrations.seed" in str(finding) for finding in findings)


def test_a_task_without_demonstrations_has_no_word_of_them(tmp_path: Path) -> None:
    add_entry(make_sweep(tmp_path / "sweep"), "first", tmp_path / "reference")
    entry = tmp_path / "reference" / "Toy-v1" / "first" / "entry.json"
    assert json.loads(entry.read_text())["demonstrations"] is None
    page = _page(tmp_path)
    assert "Demonstrations" not in page
    assert "chosen file" not in page
