import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from genelab.errors import GenelabError, InputError, RunError
from genelab.hub import card
from genelab.hub.client import Hub
from genelab.hub.push import publish, push_entries
from genelab.publish.store import add_entry
from genelab.records.check import check_path
from tests.hub.conftest import QUICK, REPO, TOKEN
from tests.hub.fake_hub import FakeHub, Fault, ReplyError
from tests.records.factory import edit, everything, make_sweep

COMMIT, TREE, INFO = "/commit/", "/tree/", "/api/datasets/toys/results$"
Push = Callable[..., str]


@pytest.fixture
def push(hub: Hub, store: Path, weights_hash: Callable[[Path], str]) -> Push:
    def run(*entries: str) -> str:
        return push_entries(hub, store, entries or ("Toy-v1/first",), QUICK, weights_hash, private=False)

    return run


def published(fake: FakeHub, entry: str = "Toy-v1/first") -> dict[str, bytes]:
    return {p.removeprefix(f"{entry}/"): d for p, d in fake.files(REPO).items() if p.startswith(f"{entry}/")}


def test_an_entry_is_one_commit_with_its_card_and_a_row_beside_the_store(
    push: Push, fake: FakeHub, store: Path
) -> None:
    revision = push()
    assert [commit.message for commit in fake.commits(REPO)] == ["initial commit", "Add Toy-v1/first"]
    assert fake.commits(REPO)[-1].sha == revision
    assert published(fake) == everything(store / "Toy-v1" / "first")
    row = json.loads((store / "artifacts.jsonl").read_text())
    assert row["artifact"] == {
        "repo_type": "dataset",
        "repo_id": REPO,
        "revision": revision,
        "path": "Toy-v1/first",
    }
    assert check_path(store).findings == []
    text = fake.files(REPO)["README.md"].decode()
    metadata = yaml.safe_load(text.split("---\n")[1])
    assert metadata["tags"] == ["reinforcement-learning", "robotics", "genelab"]
    assert metadata["viewer"] is False
    assert "| Toy-v1 | `first` | ppo | 2/2 | 39.150 |" in text


def test_pushing_again_changes_nothing(push: Push, fake: FakeHub, store: Path) -> None:
    revision, before = push(), everything(store)
    assert push() == revision
    assert len(fake.commits(REPO)) == 2
    assert everything(store) == before


def test_the_card_lists_the_entries_at_head_even_those_that_cannot_be_read(
    push: Push, fake: FakeHub, store: Path, tmp_path: Path
) -> None:
    push()
    newer = json.loads((store / "Toy-v1" / "first" / "entry.json").read_text()) | {"schema": "genelab/entry/9"}
    fake.put(REPO, {"Toy-v1/future/entry.json": json.dumps(newer).encode()})
    add_entry(make_sweep(tmp_path / "other", seeds=(4, 5, 6)), "second", store)
    push("Toy-v1/second")
    text = fake.files(REPO)["README.md"].decode()
    names = [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| Toy-v1")]
    assert names == ["`first`", "`future`", "`second`"]
    assert "not read by this version" in text


def test_several_entries_are_one_commit(push: Push, fake: FakeHub, store: Path, tmp_path: Path) -> None:
    add_entry(make_sweep(tmp_path / "other", seeds=(4, 5)), "second", store)
    push("Toy-v1/first", "Toy-v1/second", "Toy-v1/first")
    assert len(fake.commits(REPO)) == 2
    assert published(fake, "Toy-v1/second") == everything(store / "Toy-v1" / "second")
    assert len((store / "artifacts.jsonl").read_text().splitlines()) == 2


ONCE = [
    *(("POST", COMMIT, "status", {"status": status}) for status in (408, 409, 412, 429, 500, 502, 503, 504)),
    *(("POST", COMMIT, "status_after", {"status": status}) for status in (500, 504)),
    *(("POST", COMMIT, action, {}) for action in ("drop", "drop_after", "hang", "html", "half")),
    ("POST", "/preupload/", "status", {"status": 503}),
    ("POST", "/preupload/", "drop", {}),
    ("POST", "/objects/batch", "status", {"status": 500}),
    ("PUT", "/large/", "status", {"status": 503}),
    ("PUT", "/large/", "drop_after", {}),
    ("POST", "/objects/verify", "status", {"status": 502}),
    ("POST", "validate-yaml", "status", {"status": 503}),
    ("POST", "validate-yaml", "html", {}),
    ("POST", "repos/create", "status", {"status": 503}),
    ("POST", "repos/create", "drop_after", {}),
    ("GET", TREE, "status", {"status": 503}),
    ("GET", TREE, "half", {}),
    ("GET", INFO, "hang", {}),
    ("GET", INFO, "html", {}),
]


@pytest.mark.parametrize("fault", ONCE, ids=lambda f: f"{f[1].strip('/$')}-{f[2]}{f[3].get('status', '')}")
@pytest.mark.slow
def test_a_fault_ends_in_exactly_one_commit(
    push: Push, fake: FakeHub, store: Path, fault: tuple[str, str, str, dict[str, int]]
) -> None:
    method, path, action, more = fault
    fake.fail(method, path, action, **more)
    revision = push()
    assert fake.faults[0].count == 0
    assert [commit.message for commit in fake.commits(REPO)] == ["initial commit", "Add Toy-v1/first"]
    assert fake.commits(REPO)[-1].sha == revision
    assert published(fake) == everything(store / "Toy-v1" / "first")


def test_a_stale_head_after_the_commit_was_applied_makes_no_second_one(push: Push, fake: FakeHub) -> None:
    fake.fail("POST", COMMIT, "drop_after")
    # Creation and the first attempt look at the true head.
    fake.put(REPO, {"a": b"1"})
    fake.put(REPO, {"b": b"2"})
    real = fake.apply

    def apply(*arguments: object) -> dict[str, object]:
        made = real(*arguments)  # pyright: ignore
        fake.fail("GET", INFO, "stale", 3)
        return made

    fake.apply = apply  # pyright: ignore
    push()
    assert [commit.message for commit in fake.commits(REPO)] == ["put", "put", "Add Toy-v1/first"]
    assert fake.faults[1].count < 3


def test_the_hub_is_waited_for_as_long_as_it_asks(
    fake: FakeHub, store: Path, weights_hash: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    said: list[str] = []
    fake.fail("POST", COMMIT, "status", status=429, headers={"Retry-After": "17"})
    fake.fail("POST", COMMIT, "status", status=429, headers={"ratelimit": '"api";r=0;t=55'})
    cfg = QUICK.model_copy(update={"longest_wait_s": 300.0})
    push_entries(Hub("dataset", REPO, cfg, said.append), store, ["Toy-v1/first"], cfg, weights_hash, private=False)
    assert waits == [17.0, 56.0]
    assert said[0] == f"dataset repository '{REPO}': HTTP 429, told to fail; trying again in 17 s"


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        (("status", {"status": 503}), RunError, "HTTP 503, told to fail; gave up after 4 tries"),
        (("drop", {}), RunError, "Server disconnected without sending a response; gave up after 4 tries"),
        (("hang", {}), RunError, "no answer in time; gave up after 4 tries"),
        (("status", {"status": 400}), RunError, "HTTP 400, told to fail"),
        (("status", {"status": 413}), RunError, "HTTP 413, told to fail"),
        (("status", {"status": 403}), InputError, "HTTP 403, told to fail: your token may not do this"),
    ],
    ids=lambda value: f"{value[0]}{value[1].get('status', '')}" if isinstance(value, tuple) else "",
)
def test_what_does_not_pass_is_one_clear_line(
    push: Push, fake: FakeHub, store: Path, fault: tuple[str, dict[str, int]], error: type[GenelabError], told: str
) -> None:
    fake.fail("POST", COMMIT, fault[0], 100, **fault[1])
    with pytest.raises(error) as raised:
        push()
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(fake.commits(REPO)) == 1
    assert not (store / "artifacts.jsonl").exists()
    # The same command again.
    fake.faults.clear()
    push()
    assert len(fake.commits(REPO)) == 2


@pytest.mark.parametrize("token", ["hf_reader", ""])
def test_a_token_without_rights(push: Push, fake: FakeHub, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    fake.put(REPO, {"x": b"1"})
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(InputError, match="your token may not"):
        push()
    fake.repos.clear()
    with pytest.raises(InputError, match="your token may not"):
        push()


def test_no_network(push: Push, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.api.endpoint = "http://127.0.0.1:9"
    with pytest.raises(RunError, match=r"^http://127\.0\.0\.1:9: .*refused; gave up after 4 tries$"):
        push()
    hub.api.endpoint = "gopher://x"
    with pytest.raises(InputError, match="HF_ENDPOINT"):
        push()


def test_offline_mode_asks_nothing(push: Push, fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"^HF_HUB_OFFLINE is set: nothing was asked of the Hub$"):
        push()
    assert fake.requests == []


@pytest.mark.parametrize("name", ["results", "a/b/c", "toys/", "toys/re sults", ""])
def test_a_repository_without_a_proper_name(fake: FakeHub, name: str) -> None:
    with pytest.raises(InputError, match=r"^--repo"):
        Hub("dataset", name, QUICK, print)


def test_another_entry_of_the_name_is_refused(
    push: Push, fake: FakeHub, hub: Hub, tmp_path: Path, weights_hash: Callable[[Path], str]
) -> None:
    push()
    before = fake.files(REPO)
    other = tmp_path / "elsewhere"
    add_entry(make_sweep(tmp_path / "other", seeds=(1, 2, 3)), "first", other)
    with pytest.raises(InputError, match=r"holds another 'Toy-v1/first': 'entry\.json' has other bytes"):
        push_entries(hub, other, ["Toy-v1/first"], QUICK, weights_hash, private=False)
    assert fake.files(REPO) == before
    assert not (other / "artifacts.jsonl").exists()


def test_a_repository_of_somebody_else_is_refused(push: Push, fake: FakeHub) -> None:
    fake.put(REPO, {"README.md": b"# My flowers"})
    with pytest.raises(InputError, match=r"has a README\.md that genelab did not write"):
        push()
    assert len(fake.commits(REPO)) == 1


def test_files_that_a_gitignore_leaves_out_are_told(push: Push, fake: FakeHub, store: Path) -> None:
    fake.ignored = ".onnx"
    with pytest.raises(RunError, match=r"lacks 'Toy-v1/first/seed_1/policy\.onnx' and 1 more; .*gitignore"):
        push()
    assert not (store / "artifacts.jsonl").exists()


def test_an_entry_with_a_finding_is_not_pushed(push: Push, fake: FakeHub, store: Path) -> None:
    edit(store / "Toy-v1" / "first" / "seed_1" / "run.json", lambda record: record.update(command=["other"]))
    with pytest.raises(InputError, match=r"^Toy-v1/first/seed_1/run\.json: is not the recorded file"):
        push()
    for name in ("first", "Toy-v1/none", "../x/y", "Toy-v1/"):
        with pytest.raises(InputError, match="TASK/ENTRY|has no entry"):
            push(name)
    assert fake.requests == []


def test_the_token_is_told_nowhere(
    push: Push,
    fake: FakeHub,
    said: list[str],
    store: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for method, path in (("POST", "/preupload/"), ("POST", "/objects/batch"), ("PUT", "/large/"), ("POST", COMMIT)):
        fake.fail(method, path, "status", status=503)
    push()
    fake.fail("GET", INFO, "status", status=400)
    with pytest.raises(RunError) as raised:
        push()
    written = b"".join([*everything(store).values(), *fake.files(REPO).values()])
    output = capfd.readouterr()
    told = f"{raised.value} {said} {output.out} {output.err} {caplog.text} {written!r}"
    assert TOKEN not in told
    assert "signature=secret" not in told
    assert {token for method, _, token in fake.requests if method == "POST"} == {TOKEN}


def test_an_answer_that_repeats_the_token_is_told_without(hub: Hub, fake: FakeHub) -> None:
    fake.repos["datasets", "toys/leak"] = []
    leaky = Hub("dataset", "toys/leak", QUICK, print)

    def tell(*_: object) -> None:
        raise ReplyError(400, f"Bad token {TOKEN}")

    fake.repo = tell  # pyright: ignore
    with pytest.raises(RunError, match=r"HTTP 400, Bad token \*\*\*"):
        leaky.head()


@pytest.mark.slow
def test_sixteen_writers_of_two_hundred_entries_lose_none_and_double_none(fake: FakeHub) -> None:
    writers, entries = 16, 200
    # Who lost a race waits half a second on average, in which the others commit: less is tried in vain.
    cfg = QUICK.model_copy(update={"tries": 100, "conflicts": 10_000, "timeout_s": 20.0, "first_wait_s": 0.25})
    fake.longest_sleep_s = 1.0
    # One commit in two meets a fault, half of them after it was applied.
    faults = [("status", 429), ("status", 503), ("status", 409), ("drop", 0)]
    faults += [("status_after", 504), ("status_after", 500), ("drop_after", 0), ("html", 0)]
    posts = threading.local(), [0]

    def take(method: str, path: str) -> object:
        if method != "POST" or COMMIT not in path:
            return None
        posts[1][0] += 1
        number = posts[1][0]
        if number % 2:
            return None
        action, status = faults[(number // 2) % len(faults)]
        return Fault(method, path, action, status=status)

    fake.create("datasets", REPO)
    fake.take_fault = take  # pyright: ignore
    errors: list[BaseException] = []
    revisions: dict[str, str] = {}

    # One for all: each new one closes the connections of the process.
    hub = Hub("dataset", REPO, cfg, lambda _: None)

    def write(writer: int) -> None:
        for k in range(writer, entries, writers):
            name = f"Toy-v1/e{k}"
            files = {"entry.json": f"entry {k}".encode(), "model.pt": f"weights {k}".encode()}

            def render(head: str, tree: dict[str, object], name: str = name) -> dict[str, bytes]:
                there = {path.rsplit("/", 1)[0] for path in tree if path.endswith("/entry.json")}
                return {card.FILE: "\n".join([card.MARK, *sorted({*there, name})]).encode()}

            try:
                revisions[name] = publish(hub, {name: files}, render, f"Add {name}")  # pyright: ignore
            except BaseException as error:
                errors.append(error)
                raise

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    messages = [commit.message for commit in fake.commits(REPO)[1:]]
    assert sorted(messages) == sorted(f"Add Toy-v1/e{k}" for k in range(entries))
    final = fake.files(REPO)
    assert all(final[f"Toy-v1/e{k}/model.pt"] == f"weights {k}".encode() for k in range(entries))
    # The card of every commit lists what is in it.
    for commit in fake.commits(REPO)[1:]:
        listed = commit.files[card.FILE][1].decode().splitlines()[1:]
        assert listed == sorted({p.rsplit("/", 1)[0] for p in commit.files if p.endswith("/entry.json")})
    by_sha = {commit.sha: commit for commit in fake.commits(REPO)}
    assert all(f"{name}/entry.json" in by_sha[sha].files for name, sha in revisions.items())
    assert posts[1][0] > entries
