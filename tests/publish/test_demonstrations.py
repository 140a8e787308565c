"""What an entry tells of the demonstrations behind it."""

import json
from pathlib import Path
from typing import Any

import pytest

from genelab.config.snapshot import config_sha256
from genelab.publish.render import compose
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from genelab.records.demos import encode_demos
from genelab.records.files import sha256_file
from tests.franka_demos import demos
from tests.records.factory import edit, make_sweep

TOLD = {"num_envs": 64, "steps": 2, "seed": 42}
"""As in the header of the file."""
COMMAND = "genelab collect-demos Toy-v1 --num-envs 64 --steps 2 --seed 42"


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep that chose `demos.npz` beside it, as an older version left it: no run tells how it was collected."""
    folder, file = make_sweep(tmp_path / "work" / "runs"), tmp_path / "work" / "demos.npz"
    file.write_bytes(encode_demos(demos()))
    choice = {"what": "demonstrations", "kind": "file", "value": "../demos.npz", "sha256": sha256_file(file)}
    override = {"path": "agent.demo_path", "old": None, "new": "../demos.npz"}
    old = json.loads((folder / "sweep.json").read_text())["config_sha256"]
    for seed in folder.glob("seed_*"):
        edit(seed / "params" / "agent.json", lambda agent: agent.update(demo_path=choice))
        edit(seed / "run.json", lambda run: run["overrides"].append(override))
    params = {p: json.loads((folder / "seed_1" / "params" / f"{p}.json").read_text()) for p in ("task", "env", "agent")}
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text().replace(old, config_sha256(params)))
    monkeypatch.chdir(tmp_path)
    return folder


def _page(tmp_path: Path) -> str:
    assert check_path(tmp_path / "reference").findings == []
    return compose(tmp_path / "reference", tmp_path / "docs").text


def test_an_older_run_is_published_with_what_the_header_of_the_file_tells(sweep: Path, tmp_path: Path) -> None:
    digest = sha256_file(sweep.parent / "demos.npz")
    add_entry(sweep, "first", tmp_path / "reference")
    (entry,) = load_store(tmp_path / "reference")
    assert entry.record.demonstrations is not None
    assert entry.record.demonstrations.model_dump() == {"sha256": digest, **TOLD}
    page = _page(tmp_path)
    assert f"`{COMMAND} --out ../demos.npz` collects them again" in page
    assert f'agent.demo_path = "../demos.npz" (sha256 `{digest}`)' in page
    assert "the digest of a chosen file is part of it" in page


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_is_gone_or_another_one_is_not_needed(sweep: Path, tmp_path: Path, gone: bool) -> None:
    file = sweep.parent / "demos.npz"
    file.unlink() if gone else file.write_bytes(encode_demos(demos(num_envs=32)))
    add_entry(sweep, "first", tmp_path / "reference")
    (entry,) = load_store(tmp_path / "reference")
    assert entry.record.demonstrations is None
    assert "- Demonstrations: how they were collected was not recorded" in _page(tmp_path)


def test_a_newer_run_tells_itself_and_its_environment(sweep: Path, tmp_path: Path) -> None:
    digest = sha256_file(sweep.parent / "demos.npz")
    (sweep.parent / "demos.npz").unlink()

    def told(run: dict[str, Any]) -> None:
        run["demonstrations"] = {"sha256": digest, "num_envs": 16, "steps": 300, "seed": 7}
        run["overrides"] += [
            {"path": "env.decimation", "old": 2, "new": 4},
        ]

    for seed in sweep.glob("seed_*"):
        edit(seed / "run.json", told)
    add_entry(sweep, "first", tmp_path / "reference")
    command = (
        "genelab collect-demos Toy-v1 --num-envs 16 --steps 300 --seed 7 --set env.decimation=4 --out ../demos.npz"
    )
    assert f"`{command}`" in _page(tmp_path)
    # What the run tells cannot be told otherwise.
    edit(tmp_path / "reference" / "Toy-v1" / "first" / "entry.json", lambda e: e["demonstrations"].update(seed=8))
    findings = check_path(tmp_path / "reference").findings
    assert any("demonstrations.seed" in str(finding) for finding in findings)


def test_a_task_without_demonstrations_has_no_word_of_them(tmp_path: Path) -> None:
    add_entry(make_sweep(tmp_path / "sweep"), "first", tmp_path / "reference")
    entry = tmp_path / "reference" / "Toy-v1" / "first" / "entry.json"
    assert "demonstrations" not in json.loads(entry.read_text())
    page = _page(tmp_path)
    assert "Demonstrations" not in page
    assert "chosen file" not in page
