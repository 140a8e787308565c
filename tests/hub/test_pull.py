import hashlib
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from genelab.errors import GenelabError, InputError, RunError
from genelab.hub.client import Hub
from genelab.hub.pull import pull_entry
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from tests.hub.conftest import REPO
from tests.hub.fake_hub import FakeHub
from tests.records.factory import everything, make_sweep
from tests.robust.disk import small_disk

NAME = "Toy-v1/first"
Pull = Callable[..., tuple[Path, bool]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The store that is pulled into."""
    return tmp_path / "here"


@pytest.fixture
def hosted(fake: FakeHub, toys: Path) -> FakeHub:
    """A Hub that holds the entry."""
    fake.create("datasets", REPO)
    fake.put(REPO, {f"{NAME}/{name}": data for name, data in everything(toys / NAME).items()})
    return fake


@pytest.fixture
def pull(hub: Hub, here: Path, weights_hash: Callable[[Path], str]) -> Pull:
    def run(store: Path = here, name: str = NAME) -> tuple[Path, bool]:
        return pull_entry(hub, name, store, weights_hash)

    return run


def left_over(store: Path) -> list[str]:
    """Files and drafts in a store, without locks."""
    return [path.name for path in store.rglob("*") if path.name not in (".lock", "Toy-v1")]


def test_a_pulled_entry_is_the_pushed_one(pull: Pull, hosted: FakeHub, here: Path, toys: Path) -> None:
    assert pull() == (here / NAME, True)
    assert everything(here / NAME) == everything(toys / NAME)
    assert check_path(here).findings == []
    assert [entry.record.entry_id for entry in load_store(here)] == ["first"]
    row = json.loads((here / "artifacts.jsonl").read_text())
    assert (row["artifact"]["repo_id"], row["artifact"]["revision"]) == (REPO, hosted.commits(REPO)[-1].sha)
    before = everything(here)
    assert pull() == (here / NAME, False)
    assert everything(here) == before


PLACES = ["/api/datasets/toys/results$", "/tree/", "entry.json$", "/resolve/.*pt$", "/large/"]


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/tree/", "hang"),
        ("/large/", "hang"),
        *product(PLACES, ["status503", "status429", "drop", "flip", "half", "html"]),
    ],
)
@pytest.mark.slow
def test_a_fault_does_not_reach_the_store(
    pull: Pull, hosted: FakeHub, here: Path, toys: Path, path: str, action: str
) -> None:
    hosted.fail("GET", path, action[:6] if "status" in action else action, status=int(action[6:] or 0))
    pull()
    assert hosted.faults[0].count == 0
    assert everything(here / NAME) == everything(toys / NAME)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("flip", "'Toy-v1/first/seed_2/model_final.pt' arrived with other bytes than its digest says; gave up"),
        ("drop", "Server disconnected without sending a response; gave up after 4 tries"),
        ("half", "peer closed connection"),
    ],
)
def test_a_lasting_fault_is_one_line_and_leaves_nothing(
    pull: Pull, hosted: FakeHub, here: Path, toys: Path, fault: str, told: str
) -> None:
    path = "seed_2/model_final.pt" if fault == "drop" else "/large/"
    if fault == "flip":
        data = everything(toys / NAME)["seed_2/model_final.pt"]
        path = f"/large/{hashlib.sha256(data).hexdigest()}"
    hosted.fail("GET", path, fault, 100)
    with pytest.raises(RunError) as raised:
        pull()
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert left_over(here) == []


def with_entry(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes]], dict[str, bytes | None]]:
    def changed(files: dict[str, bytes]) -> dict[str, bytes | None]:
        record = json.loads(files["entry.json"])
        change(record)
        return {"entry.json": json.dumps(record).encode()}

    return changed


def other_size(files: dict[str, bytes]) -> dict[str, bytes | None]:
    return {"seed_1/run.json": files["seed_1/run.json"] + b" "}


def same_size(files: dict[str, bytes]) -> dict[str, bytes | None]:
    return {"seed_1/model_final.pt": b"W" + files["seed_1/model_final.pt"][1:]}


BAD: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes | None]], str]] = {
    "garbage": (lambda _: {"entry.json": b"{"}, "entry.json: not valid JSON"),
    "schema of others": (with_entry(lambda r: r.update(schema="other/entry/2")), "entry.json: schema = "),
    "older schema": (with_entry(lambda r: r.update(schema="genelab/entry/1")), "of an earlier version of genelab"),
    "newer schema": (with_entry(lambda r: r.update(schema="genelab/entry/3")), "entry.json: schema = "),
    "missing": (lambda _: {"seed_1/run.json": None}, "seed_1/run.json: missing, entry.json lists it"),
    "more": (lambda _: {"seed_1/.hidden": b"x"}, "seed_1/.hidden: is not listed in entry.json"),
    "link": (lambda _: {"seed_1/run.json": b"../../../etc/passwd"}, "seed_1/run.json: has 19 bytes, entry.json says"),
    "size": (other_size, "seed_1/run.json: has "),
    "hash": (same_size, "seed_1/model_final.pt: its sha256 is "),
    "up": (with_entry(lambda r: r["files"][0].update(path="../../x")), "must be a plain path inside the entry"),
    "absolute": (with_entry(lambda r: r["files"][0].update(path="/etc/x")), "must be a plain path inside the entry"),
    "another name": (with_entry(lambda r: r.update(entry_id="second")), "entry.json: belongs in Toy-v1/second"),
    "better number": (with_entry(lambda r: r["aggregate"].update(mean=99.0)), "entry.aggregate.mean: 99.0 stored"),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_entry_that_is_not_as_it_claims_is_one_line_and_leaves_nothing(
    pull: Pull, hosted: FakeHub, here: Path, toys: Path, kind: str
) -> None:
    change, told = BAD[kind]
    hosted.put(REPO, {f"{NAME}/{name}": data for name, data in change(everything(toys / NAME)).items()})
    with pytest.raises(InputError) as raised:
        pull()
    assert str(raised.value).startswith(f"dataset repository '{REPO}': Toy-v1/first")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert ".draft" not in str(raised.value)
    assert left_over(here) == []


def test_other_weights_than_the_record_says_are_refused(hub: Hub, hosted: FakeHub, here: Path) -> None:
    with pytest.raises(InputError, match="weights_sha256 is 0000"):
        pull_entry(hub, NAME, here, lambda _: "0" * 64)
    assert left_over(here) == []


def test_what_is_not_there(pull: Pull, hosted: FakeHub, hub: Hub, here: Path) -> None:
    for name, error, told in (
        ("Toy-v1/other", InputError, "has no entry 'Toy-v1/other' at its newest commit"),
        ("Toy-v1", InputError, "must be TASK/ENTRY"),
        ("../x", InputError, "must be TASK/ENTRY"),
    ):
        with pytest.raises(error, match=told):
            pull(name=name)
    hosted.fail("GET", "/api/datasets/toys/results$", "stale")
    with pytest.raises(InputError, match="has no entry"):
        pull()
    hub.name = "toys/none"
    with pytest.raises(
        InputError, match="Repository not found: there is none of that name, or your token may not read"
    ):
        pull()
    assert not here.exists()


def test_another_entry_of_the_name_in_the_store_is_refused(pull: Pull, hosted: FakeHub, tmp_path: Path) -> None:
    store = tmp_path / "mine"
    add_entry(make_sweep(tmp_path / "other", seeds=(1, 2, 3)), "first", store)
    before = everything(store)
    with pytest.raises(InputError, match="exists and is another one than that of dataset repository"):
        pull(store)
    assert everything(store) == before


@pytest.mark.parametrize("pages", [2, 12])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    pull: Pull, hosted: FakeHub, tmp_path: Path, toys: Path, pages: int
) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        (disk.path / "store" / "Toy-v1").mkdir(parents=True)
        (disk.path / "store" / "Toy-v1" / ".lock").write_text(" " * 100)
        disk.fill(leave_pages=pages)
        with pytest.raises(GenelabError, match="no space left"):
            pull(disk.path / "store")
        assert left_over(disk.path / "store") == []
        disk.free()
        pull(disk.path / "store")
        assert everything(disk.path / "store" / NAME) == everything(toys / NAME)


def test_drafts_of_killed_processes_go_with_the_next_pull(pull: Pull, hosted: FakeHub, here: Path) -> None:
    (here / "Toy-v1" / ".draft-dead" / "Toy-v1").mkdir(parents=True)
    pull()
    assert sorted(left_over(here / "Toy-v1")) == sorted(["first", *left_over(here / NAME)])


def test_the_record_of_copies_is_checked(pull: Pull, hosted: FakeHub, here: Path) -> None:
    pull()
    path = here / "artifacts.jsonl"
    row = json.loads(path.read_text())
    for change, told in (
        ({"entry_sha256": "0" * 64}, "entry_sha256 is 0000"),
        ({"entry_id": "second"}, "the store has no entry Toy-v1/second"),
        ({"artifact": row["artifact"] | {"path": "x"}}, "path 'x' is not Toy-v1/first"),
        ({"artifact": row["artifact"] | {"revision": "main"}}, "line 2: artifact.revision"),
        ({"extra": 1}, "line 2: extra"),
    ):
        path.write_text("\n".join([json.dumps(row), json.dumps(row | change)]))
        assert any(told in str(finding) for finding in check_path(here).findings), told
        assert any(told in str(finding) for finding in check_path(path).findings), told
