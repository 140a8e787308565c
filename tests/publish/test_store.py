import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genelab.cli import run as genelab
from genelab.config.overrides import Override
from genelab.config.task import ProtocolCfg
from genelab.errors import InputError, RunError
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from genelab.records.eval import protocol_as_used
from tests.records.factory import edit, everything, make_sweep

SEED_FILES = {
    "curve.jsonl",
    "eval.json",
    "model_final.pt",
    "params/agent.json",
    "params/env.json",
    "params/task.json",
    "policy.onnx",
    "policy.onnx.metadata.json",
    "run.json",
    "sim2sim.json",
}


def entry_json(path: Path) -> dict[str, Any]:
    return json.loads((path / "entry.json").read_text())


def test_entry_holds_the_files_and_their_hashes(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    assert path == store / "Toy-v1" / "first"
    expected = {f"seed_{seed}/{name}" for seed in (1, 2, 3) for name in SEED_FILES} | {"sweep.json"}
    assert set(everything(path)) == expected | {"entry.json"}
    assert {file["path"] for file in entry_json(path)["files"]} == expected
    assert all((path / name).read_bytes() == (sweep / name).read_bytes() for name in expected)
    assert check_path(store).findings == []


def test_entry_aggregates_over_seeds(sweep: Path, store: Path) -> None:
    record = entry_json(add_entry(sweep, "first", store))
    # Seeds earn 39.1, 39.2, 39.3: s = 0.1, half width 4.30265 x 0.1 / sqrt(3).
    over = record["aggregate"]
    assert over["n_seeds"] == 3
    assert (over["mean"], over["std"]) == (pytest.approx(39.2), pytest.approx(0.1))
    assert over["ci95"] == pytest.approx([39.2 - 0.2484138, 39.2 + 0.2484138])
    assert (over["min"], over["max"]) == (pytest.approx(39.1), pytest.approx(39.3))
    assert record["status"] == "reference"
    assert record["artifact"] is None
    assert record["reproduce"] == "genelab train Toy-v1 --seeds 1,2,3 --log-dir runs/toy"


def test_store_is_append_only(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    before = everything(store)
    with pytest.raises(InputError, match="append-only"):
        add_entry(sweep, "first", store, reason="another")
    other = make_sweep(sweep.parent / "other", seeds=(1, 2))
    with pytest.raises(InputError, match="append-only"):
        add_entry(other, "first", store)
    assert everything(store) == before
    add_entry(sweep, "second", store, reason="again")
    assert everything(path) == {name.removeprefix("Toy-v1/first/"): data for name, data in before.items()}
    assert entry_json(store / "Toy-v1" / "second")["supersedes"] == "first"


def test_adding_the_same_again_changes_nothing(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    before = everything(store)
    assert add_entry(sweep, "first", store) == path
    assert everything(store) == before


def test_drafts_of_killed_processes_are_no_finding_and_go_with_the_next_entry(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    dead = path.with_name(".draft-dead")
    shutil.copytree(path, dead)
    (dead / "entry.json").unlink()
    assert check_path(store).findings == []
    add_entry(sweep, "second", store)
    assert not dead.exists()


def test_sweep_with_a_finding_is_refused_and_nothing_is_left(sweep: Path, store: Path) -> None:
    edit(sweep / "seed_2" / "eval.json", lambda record: record["metrics"].update(return_mean=39.9))
    with pytest.raises(RunError, match=r"metrics\.return_mean: 39\.9 stored"):
        add_entry(sweep, "first", store)
    assert not store.exists()


def test_failed_seed_is_published_only_on_demand_and_without_a_mean(tmp_path: Path, store: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", failed={2: "diverged"})
    with pytest.raises(RunError, match="seed 2 is not finished"):
        add_entry(sweep, "first", store)
    record = entry_json(add_entry(sweep, "first", store, allow_missing=True))
    assert record["seeds"] == {
        "planned": [1, 2, 3],
        "finished": [1, 3],
        "failed": [{"seed": 2, "state": "failed", "reason": "diverged"}],
    }
    assert record["aggregate"] is None
    assert record["status"] == "preview"
    assert check_path(store).findings == []


def test_allowing_missing_seeds_allows_nothing_else(tmp_path: Path, store: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", failed={2: "diverged"})
    (sweep / "seed_3" / "model_final.pt").write_bytes(b"other weights")
    with pytest.raises(RunError, match="is not the recorded file"):
        add_entry(sweep, "first", store, allow_missing=True)


def test_set_without_any_seed_is_refused(tmp_path: Path, store: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", failed={1: "x", 2: "x", 3: "x"})
    with pytest.raises(RunError, match="no seed finished"):
        add_entry(sweep, "first", store, allow_missing=True)


@pytest.mark.parametrize("change", ["override", "protocol"])
def test_changed_task_or_protocol_is_a_preview(sweep: Path, store: Path, change: str) -> None:
    override = Override(path="train.iterations", old=150, new=30).model_dump(mode="json")
    protocol = protocol_as_used(ProtocolCfg(episodes=8, num_envs=2, round_trip_episodes=3), 100).model_dump(mode="json")
    for seed in (1, 2, 3):
        if change == "override":
            edit(sweep / f"seed_{seed}" / "run.json", lambda record: record.update(overrides=[override]))
        else:
            for name in ("eval.json", "sim2sim.json"):
                edit(sweep / f"seed_{seed}" / name, lambda record: record.update(protocol=protocol))
    assert entry_json(add_entry(sweep, "first", store))["status"] == "preview"


def test_reproduce_names_every_seed_and_override(sweep: Path, store: Path) -> None:
    command = ["genelab", "train", "Toy-v1", "--seeds", "2,3", "--no-eval", "--log_dir=runs/toy"]
    edit(sweep / "sweep.json", lambda record: record.update(command=command))
    override = {"path": "train.iterations", "old": 150, "new": 30}
    for seed in (1, 2, 3):
        edit(sweep / f"seed_{seed}" / "run.json", lambda record: record.update(overrides=[override]))
        edit(sweep / f"seed_{seed}" / "run.json", lambda record: record["execution"]["requested"].update(threads=2))
    told = entry_json(add_entry(sweep, "first", store))["reproduce"]
    options = "--set train.iterations=30 --threads 2 --log_dir runs/toy"
    assert told == f"genelab train Toy-v1 --seeds 1,2,3 {options}"


@pytest.mark.parametrize("name", ["", "First", "a/b", "../x", ".hidden", "a b"])
def test_bad_entry_names_are_refused(sweep: Path, store: Path, name: str) -> None:
    with pytest.raises(InputError, match="entry_id"):
        add_entry(sweep, name, store)
    assert not store.exists()


def test_no_sweep_is_an_input_error(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no sweep\.json"):
        add_entry(tmp_path, "first", store)


def test_paths_of_this_machine_are_refused(sweep: Path, store: Path) -> None:
    command = ["genelab", "train", "Toy-v1", "--log-dir", str(Path.home() / "runs")]
    edit(sweep / "sweep.json", lambda record: record.update(command=command))
    with pytest.raises(RunError, match=r"sweep\.json: names .* of this machine"):
        add_entry(sweep, "first", store)
    assert not list(store.rglob("*.json"))


def test_entry_in_another_place_is_found(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    path.rename(path.with_name("renamed"))
    assert any("belongs in Toy-v1/first" in str(finding) for finding in check_path(store).findings)


def test_entry_without_its_record_is_found(sweep: Path, store: Path) -> None:
    add_entry(sweep, "first", store)
    (add_entry(sweep, "second", store) / "entry.json").unlink()
    assert any("has no entry.json" in str(finding) for finding in check_path(store).findings)
    with pytest.raises(RunError, match=r"entry\.json: missing"):
        load_store(store)


def test_added_file_is_found(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    (path / "note.txt").write_text("trust me")
    assert [f.message for f in check_path(path).findings] == ["is not listed in entry.json"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("status", "preview"), ("task_version", 2), ("reproduce", "true"), ("aggregate", None), ("published_as", "X-v0")],
)
def test_changed_entry_json_is_found(sweep: Path, store: Path, key: str, value: object) -> None:
    path = add_entry(sweep, "first", store)
    edit(path / "entry.json", lambda record: record.update({key: value}))
    assert any(f"entry.{key}" in str(finding) for finding in check_path(path).findings)


def test_a_file_listed_twice_is_found(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    edit(path / "entry.json", lambda record: record["files"].append(record["files"][0]))
    assert [finding.message for finding in check_path(path).findings] == ["files: not sorted by path, each once"]


def test_changed_number_in_entry_json_is_found(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    edit(path / "entry.json", lambda record: record["runs"][1]["metrics"].update(return_mean=39.99))
    found = [finding.message for finding in check_path(path).findings]
    assert len(found) == 1
    assert found[0].startswith("entry.runs[1].metrics.return_mean: 39.99 stored, 39.2")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    return add_entry(make_sweep(folder / "sweep", seeds=(1, 2)), "first", folder / "reference")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.slow
def test_any_flipped_byte_of_any_hashed_file_is_found(published: Path, data: st.DataObject) -> None:
    names = [file["path"] for file in entry_json(published)["files"]]
    path = published / data.draw(st.sampled_from(names))
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        path.write_bytes(changed)
        assert check_path(published).findings != []
    finally:
        path.write_bytes(original)
    assert check_path(published).findings == []


def test_command_adds_and_lists(sweep: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add = ["reference", "add", str(sweep), "--entry", "first", "--store", str(store)]
    assert genelab(add) == 0
    assert genelab(add) == 0
    assert genelab([*add, "--reason", "another"]) == 2
    assert "append-only" in capsys.readouterr().err
    capsys.readouterr()
    assert genelab(["reference", "list", "--store", str(store)]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["task", "entry", "added", "status", "seeds", "mean", "return"]
    assert [*line.split()[:2], *line.split()[3:]] == ["Toy-v1", "first", "reference", "3/3", "39.200"]
    assert genelab(["reference", "list", "--store", str(store), "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["entry_id"], listed["aggregate"]["mean"]) == ("first", pytest.approx(39.2))
    assert genelab(["reference", "list", "--store", "nowhere"]) == 2
    assert "there is no store at '" in capsys.readouterr().err
    shutil.rmtree(sweep / "seed_1")
    assert genelab([*add[:-3], "second", "--store", str(store)]) == 1
