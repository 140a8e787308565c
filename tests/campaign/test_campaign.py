"""Bad input, the queue, caps, and crashes between the steps of an intake."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genelab.campaign import files, intake, launch
from genelab.campaign.intake import Step, entries_of, wrong_training
from genelab.campaign.items import resolve
from genelab.campaign.results import against_target, standing_entry
from genelab.publish.store import add_entry
from genelab.records.campaign import EventRecord
from genelab.records.check import check_sweep
from genelab.records.files import sha256_file
from genelab.records.run import ParentRef
from genelab.records.stamps import CodeStamp
from tests.records.factory import edit, everything, make_sweep, make_task, set_at
from tests.sweep import command
from tests.sweep.harness import wait_for

from .place import LR, TASK, Place

PENDULUM = "GeneLab-Inverted-Pendulum-v1"
CHANGE = ("--baseline", "base", "--hypothesis", "more", "--expect", "better")
SMALL = (
    *("--set", "train.iterations=10", "--set", "train.num_envs=8", "--set", "protocol.episodes=4"),
    *("--set", "env.sim.engine=mujoco", "--joint", "small on purpose"),
)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([TASK, "--metric", "return_mean", "--value", "39"], "--source: must say where the number comes from"),
        ([TASK, "--metric", "return_mean"], "a target needs one of --value, --published and --none"),
        ([TASK, "--value", "39"], "Missing option '--metric'"),
        ([TASK, "--metric", "return_mean", "--published", "v1.0", "--n-seeds", "3"], "--n-seeds: goes with --value"),
        (
            ["Toy-v9", "--metric", "return_mean", "--value", "39", "--source", "x"],
            "unknown task 'Toy-v9', nearest: Toy",
        ),
        ([TASK, "--metric", "return_mean", "--value", "nan", "--source", "x"], "value = nan: Input should be a finite"),
        (
            [TASK, "--metric", "return_mean", "--value", "3", "--source", "x", "--idle", "3.75"],
            "target 3 of 'Toy-v1': is not above what doing nothing earns, 3.75, so it proves nothing",
        ),
        ([TASK, "--metric", "return_mean", "--published", "v1.0"], "no row of 'Toy-v1' has this label; it has: none"),
    ],
)
def test_a_target_that_proves_nothing_is_refused(place: Place, args: Sequence[str], told: str) -> None:
    place.new()
    before = everything(place.folder)
    assert told in place("target", *args, code=2)
    assert everything(place.folder) == before


def test_idle_of_an_entry_counts_more_than_what_is_said(begun: Place) -> None:
    args = ("--metric", "return_mean", "--value", "3.5", "--source", "x", "--idle", "1")
    assert "doing nothing earns, 3.75" in begun("target", TASK, *args, code=2)
    begun("target", TASK, "--metric", "return_mean", "--none", "--source", "doing nothing earns as much")
    assert "no target" in begun("status")


def test_published_rows_are_read_and_not_typed(place: Place) -> None:
    rows = Path(__file__).parents[2] / "reference" / "upstream" / "published_numbers.json"
    (place.store / "upstream").mkdir()
    shutil.copy(rows, place.store / "upstream")
    place.new()
    task = "Genelab-Tracking-Flat-Unitree-G1-v0"
    place("target", task, "--variant", "cpu", "--metric", "return_mean", "--published", "v1.0")
    target = place.campaign().record.targets[0]
    assert target.value == pytest.approx((138.444 + 137.98 + 138.06) / 3)
    assert (target.n_seeds, target.source) == (3, "mean of the published rows of v1.0")


@pytest.mark.parametrize(
    ("item", "args", "told"),
    [
        ("a b", (), "id = 'a b': String should match pattern"),
        ("base.2", (), "id = 'base.2': String should match pattern"),
        ("2", (), "id = '2': String should match pattern"),
        ("x", ("--baseline", "Toy-v1/none"), "--baseline Toy-v1/none: is no item and no TASK/ENTRY; known: none"),
        ("x", ("--baseline", "bas"), "campaign 'c' has no item 'bas'; nearest: none"),
        ("x", ("--hypothesis", "faster"), "--hypothesis: needs a --baseline"),
        ("x", ("--premise", "it is so"), "--premise: needs --premise-source"),
        ("x", ("--set", f"{LR}=0.01", "--set", "agent.gamma=0.9"), "changes 2 values at once"),
        ("x", ("--corrects", "y"), "has no item 'y'"),
    ],
)
def test_an_item_that_teaches_nothing_is_refused(place: Place, item: str, args: Sequence[str], told: str) -> None:
    place.new()
    assert told in place.add(item, *args, code=2)
    assert place.campaign().items == {}


def test_an_entry_that_has_the_name_of_an_item(begun: Place) -> None:
    other = make_task(agent=make_task().agent.model_copy(update={"gamma": 0.9}))
    add_entry(make_sweep(Path("other"), task=other), "c.lr", begun.store)
    assert "the store has an entry Toy-v1/c.lr already; take another name" in begun.change("lr", code=2)
    # One that comes later takes nothing but its item out.
    begun.change("lr2")
    add_entry(make_sweep(Path("again"), task=other, seeds=(4, 5)), "c.lr2", begun.store)
    assert "rejected (the entry of its name, Toy-v1/c.lr2, is of another configuration)" in begun("status")
    assert [begun.state(item) for item in ("base", "lr2")] == ["entered", "rejected"]


def test_what_was_not_declared_is_rejected(place: Place) -> None:
    place.new()
    place.add("base")
    place.add("more", "--set", f"{LR}=0.01")
    folder = place.trained("base", 30.0)
    parent: dict[str, Any] = {"task": TASK, "task_version": 1, "variant": None, "stage": None, "seed": 1}
    parent |= {"config_sha256": "0" * 64, "path": "parent/model.pt", "sha256": "0" * 64, "weights_sha256": "0" * 64}
    parent |= {"iteration": 30}
    _, seeds, _ = check_sweep(folder, None)
    assert wrong_training(place.found("base"), seeds) is None
    tuned = [replace(seeds[0], run=seeds[0].run.replace(parent=ParentRef(**parent))), *seeds[1:]]
    assert "seed 1 began from the policy of another run" in (wrong_training(place.found("base"), tuned) or "")
    place("queue", "more")
    make_sweep(Path("runs/campaigns/c/more"), task=resolve(place.campaign().items["more"])[0], seeds=(1, 2, 3, 4))
    assert "rejected: seeds 1,2,3,4 were trained, declared 1,2,3" in place("intake", "more", code=1)


def test_a_hosted_copy_makes_an_entry_published(begun: Place) -> None:
    path = begun.store / TASK / "c.base"
    row = {
        "schema": "genelab/artifact/1",
        "task": TASK,
        "entry_id": "c.base",
        "entry_sha256": sha256_file(path / "entry.json"),
        "artifact": {"repo_type": "dataset", "repo_id": "toys/x", "revision": "0" * 40, "path": f"{TASK}/c.base"},
        "recorded_at": "2026-11-01T00:00:00Z",
    }
    (begun.store / "artifacts.jsonl").write_text(json.dumps(row) + "\n")
    assert begun.state("base") == "published"
    (begun.store / "artifacts.jsonl").write_text(json.dumps(row | {"entry_sha256": "0" * 64}) + "\n")
    assert begun.state("base") == "entered"


@pytest.mark.slow
def test_another_reward_proves_nothing(begun: Place) -> None:
    begun("target", TASK, "--metric", "return_mean", "--value", "34", "--source", "table 1")
    begun.add("paid", "--set", "env.rewards.alive.weight=2.0", *CHANGE)
    told = begun.entered("paid", 39.0)
    assert "paid: not comparable against c.base: other environment: env.rewards.alive.weight: 1.0 -> 2.0" in told
    assert "regressed: paid: not comparable" in begun("status", code=1)
    told = begun("judge", "paid", "--decision", "adopt", "--why", "more", code=2)
    assert "--decision adopt: item 'paid' is not comparable against c.base" in told
    begun("judge", "paid", "--decision", "drop", "--why", "another quantity")
    found = begun.found("paid").entry
    assert against_target(begun.campaign().record.targets[0], found).word == "not comparable"


def test_another_budget_is_told(begun: Place) -> None:
    begun.add("long", "--set", "train.iterations=40", *CHANGE)
    assert "long: improvement, other budget against c.base" in begun.entered("long", 36.0)


def test_a_preview_does_not_stand_for_a_target(place: Place) -> None:
    place.new()
    place("target", TASK, "--metric", "return_mean", "--value", "34", "--source", "table 1")
    part = make_sweep(Path("part"), seeds=(1, 2, 3, 4), failed={4: "x"})
    add_entry(part, "part", place.store, allow_missing=True)
    assert standing_entry(place.campaign(), {}, place.campaign().record.targets[0], entries_of(place.store)) is None


def test_two_items_with_one_change(place: Place) -> None:
    place.new()
    place.add("base")
    place.change("lr")
    assert "'lr' trains the same configuration and is draft" in place.change("faster", code=2)
    assert "item 'lr' exists already" in place.change("lr", value="0.02", code=2)
    assert "must say what the change of agent.gamma is hoped to do" in place.add(
        "gamma", "--set", "agent.gamma=0.9", "--baseline", "base", code=2
    )
    # What was withdrawn may come again.
    place("withdraw", "lr", "--why", "not now")
    place.change("faster")


def test_a_metric_that_the_task_does_not_have(place: Place) -> None:
    place.new(metric="success_rate")
    assert "campaign 'c' judges success_rate, and 'Toy-v1' has no goal" in place.add("base", code=2)
    target = (TASK, "--metric", "success_rate", "--value", "0.9", "--source", "x")
    assert "'Toy-v1' has no goal" in place("target", *target, code=2)


def test_a_choice_that_is_left_open(place: Place) -> None:
    place.new()
    told = place("add", "x", "Genelab-Tracking-Flat-Unitree-G1-v0", "--why", "y", code=2)
    assert "leaves to you what has no default; give --set env.parts.motion.params.clip=FILE" in told


def test_queue_order(place: Place) -> None:
    place.new()
    place.add("base")
    place.change("a")
    place.change("b", value="0.02")
    place("queue", "base", "a", "b", "--priority", "5")
    assert "is queued: only what is a draft" in place("queue", "a", code=2)
    place("move", "b", "--priority", "1", "--why", "cheap")
    assert [line.split()[:2] for line in place("queue").splitlines()] == [["1", "b"], ["5", "base"], ["5", "a"]]
    # It keeps its place when it comes back.
    place("withdraw", "b", "--why", "not now")
    place("queue", "b")
    assert place("queue").startswith("1  b")
    assert "agent.learning_rate=0.02 --device auto --threads 1 --log-dir runs/campaigns/c/b" in place("next")
    assert "is draft" not in place("withdraw", "b", "--why", "no")
    assert place("next").startswith("base: worth it")
    assert "judge needs one that is entered" in place("judge", "a", "--decision", "drop", "--why", "x", code=2)


def test_caps_warn_at_80_percent_and_refuse_beyond_100(place: Place) -> None:
    # 30 iterations x 24 steps x 16 environments.
    place.new("--max-env-steps", "12000", "--max-runs", "7")
    told = place.add("base")
    assert "warning: control steps of a run: 11,520 of at most 12,000, 96% of the cap" in told
    assert "runs" not in told.split("warning", 1)[1]
    assert "warning: runs of the campaign: 6 of at most 7, 86%" in place.change("a")
    assert "runs of the campaign: 9 of at most 7, 129% of the cap" in place.change("b", value="0.02", code=2)
    longer = ("--set", "train.iterations=32", "--baseline", "base", "--hypothesis", "h", "--expect", "better")
    assert "control steps of a run: 12,288 of at most 12,000" in place.add("c", *longer, seeds="1", code=2)
    # What was withdrawn makes room, as far as it did not run, and does not come back into a full campaign.
    place("withdraw", "a", "--why", "later")
    place.change("b", value="0.02")
    assert "runs of the campaign: 9 of at most 7" in place("queue", "a", code=2)
    place.trained("b", 30.0)
    place("withdraw", "b", "--why", "later")
    assert "runs of the campaign: 9 of at most 7" in place("queue", "a", code=2)


def test_steps_are_counted_again_at_intake_and_hours_at_launch(place: Place) -> None:
    place.new("--max-hours", "0.05", "--max-env-steps", "11520")
    place.add("base")
    folder = place.trained("base", 30.0)
    place.change("a")
    place("queue", "a")
    # Three seeds of 101 to 103 s.
    assert "hours of the campaign: 0.09 of at most 0.05 are spent" in place("launch", "--preview", code=2)
    set_at(folder / "seed_1" / "run.json", "timing.env_steps", 20000)
    assert "step 'check'" in (told := place("intake", "base", code=1))
    assert "env_steps" in told


@pytest.mark.slow
def test_judging_needs_a_verdict(place: Place) -> None:
    place.new()
    place.add("base")
    place.change("lr")
    told = place.entered("lr", 35.0)
    assert "against" not in told
    assert "waits for base" in place("status")
    told = place("judge", "lr", "--decision", "adopt", "--why", "good", code=2)
    assert "item 'lr' has no verdict yet: its baseline 'base' has no entry" in told
    assert "--seeds: must be given with --decision repeat" in (
        place.entered("base", 30.0) and place("judge", "base", "--decision", "repeat", "--why", "x", code=2)
    )
    place("judge", "lr", "--decision", "adopt", "--why", "better")
    place("target", TASK, "--metric", "return_mean", "--value", "34", "--source", "table 1")
    # The entry adopted stands for the task.
    assert any("c.lr" in line and "reached" in line for line in place("status").splitlines())


@pytest.mark.parametrize("name", ["campaign.json", "items/base.json"])
def test_a_file_edited_by_hand(place: Place, name: str) -> None:
    place.new()
    place.add("base")
    path = place.folder / name
    whole = path.read_text()
    path.write_text(whole.replace("Try it.", "Try  it.").replace("worth it", "worth  it"))
    assert f"'{path}': was edited by hand" in place("status", code=2)
    path.write_text(whole)
    place("status")


def test_events_edited_by_hand(place: Place) -> None:
    place.new()
    place.add("base")
    place("queue", "base")
    events = place.folder / "events.jsonl"
    whole = events.read_text()
    events.write_text(whole.replace('"queue"', '"cue"'))
    assert "line 3: what = 'cue'" in place("status", code=2)
    events.write_text("\n".join(whole.splitlines()[:1]) + "\n")
    assert "items/base.json': was edited by hand" in place("status", code=2)
    events.write_text(whole)
    (place.folder / "items" / "base.json").unlink()
    assert "items/base.json': missing, though events.jsonl has decisions on it" in place("status", code=2)


def test_a_kill_between_decision_and_file_is_healed_by_the_same_command(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.new()
    place.add("base")

    def die(path: Path, data: bytes) -> None:
        if path.name != "events.jsonl":
            raise KeyboardInterrupt
        path.write_bytes(data)

    target = ("target", TASK, "--metric", "return_mean", "--value", "39", "--source", "x")
    for command_line in (("add", "lr", TASK, "--why", "x"), target):
        with monkeypatch.context() as patch:
            patch.setattr(files, "write_atomic", die)
            place(*command_line, code=2 if command_line[0] == "add" else 130)
        place("status")
    place.change("lr")
    place(*target)
    assert [event["what"] for event in place.events()] == ["new", "add", "target", "add", "target"]
    assert place.campaign().record.targets[0].value == 39.0


def test_the_store_of_decisions_only_grows(begun: Place) -> None:
    before = (begun.folder / "events.jsonl").read_bytes()
    begun.change("lr")
    assert (begun.folder / "events.jsonl").read_bytes().startswith(before)
    assert all(EventRecord.model_validate(event) for event in begun.events())


def test_an_unknown_campaign(place: Place) -> None:
    place.new()
    assert "campaign 'c' exists already" in place("new", "--metric", "strength", "--purpose", "x", code=2)
    shutil.move("campaigns/c", "campaigns/d")
    assert "there is no campaign 'c' in 'campaigns'; known: d" in place("status", code=2)


@pytest.mark.slow
def test_a_crash_between_any_two_steps_is_healed_by_the_same_command(
    begun: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.change("lr")
    begun.trained("lr", 35.0)
    whole = intake.steps

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    for count in range(7):
        with monkeypatch.context() as patch:

            def first(*told: object, count: int = count) -> list[Step]:
                return [*whole(*told)[:count], Step("crash", lambda: False, crash)]  # pyright: ignore

            patch.setattr(intake, "steps", first)
            begun("intake", "lr", code=130)
        begun("status")
    entry = everything(begun.store)
    told = begun("intake", "lr")
    assert "improvement against c.base" in told
    assert everything(begun.store) == entry, "entered once"
    again = everything(Path())
    assert begun("intake", "lr") == told
    assert everything(Path()) == again
    # The trainings may go once they are in the store.
    shutil.rmtree("runs")
    begun("intake", "lr")
    assert begun.state("lr") == "entered"


@pytest.mark.slow
def test_all_goes_on_past_an_item_that_fails_and_renders_in_the_end(begun: Place) -> None:
    begun.change("bad")
    begun.change("good", value="0.02")
    folder = begun.trained("bad", 35.0)
    begun.trained("good", 35.0)
    shutil.rmtree(folder / "seed_2")
    page = begun.docs / "campaigns" / "c.md"
    told = begun("intake", "--all", code=1)
    assert "error: bad, step 'check'" in told
    assert "good: improvement against c.base" in told
    assert "| improvement against c.base |" in (whole := page.read_text())
    # As after a kill between entry and page.
    page.write_text("old")
    assert "good: improvement against c.base" in begun("intake", "--all", code=1)
    assert page.read_text() == whole


def test_a_command_that_writes_while_another_reads(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.new()
    whole, target = files._sealed, ("target", TASK, "--metric", "return_mean", "--value", "39", "--source")

    def late(*told: Any) -> Any:
        monkeypatch.setattr(files, "_sealed", whole)
        for number in "123":
            place(*target, number)
        return whole(*told)

    monkeypatch.setattr(files, "_sealed", late)
    assert place.campaign().record.targets[0].source == "3"


@pytest.mark.parametrize("trouble", ["nan", "seed", "finding"])
def test_what_is_not_whole_is_not_taken_in(place: Place, trouble: str) -> None:
    place.new()
    place.add("base")
    folder = place.trained("base", 30.0)
    if trouble == "nan":
        set_at(folder / "seed_2" / "eval.json", "metrics.return_mean", float("nan"))
    elif trouble == "seed":
        shutil.rmtree(folder / "seed_2")
    else:
        set_at(folder / "seed_2" / "eval.json", "metrics.return_mean", 31.0)
    told = place("intake", "--all", code=1)
    assert "base, step 'check': runs/campaigns/c/base/seed_2" in told
    assert place.state("base") == "trained"
    assert not (place.store / TASK).exists()


@pytest.fixture
def queued(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Two items in the queue, whose trainings are fake processes."""
    from genelab.sweep.executors import local

    monkeypatch.setattr(local, "LocalExecutor", lambda own=local.LocalExecutor: own(command.WORKER))
    place.new()
    place("add", "one", PENDULUM, *SMALL, "--seeds", "1,3", "--why", "first")
    more = ("--set", f"{LR}=0.01", "--baseline", "one", "--hypothesis", "faster", "--expect", "better")
    place("add", "two", PENDULUM, *SMALL, *more, "--seeds", "1,3", "--why", "second")
    place("queue", "one", "two")
    return place


@pytest.mark.slow
def test_a_launch_trains_the_queue_in_order(queued: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENELAB_TEST_BEHAVIOUR", json.dumps({"3": "fail"}))
    told = queued("launch", "--parallel", "2", "--limit", "1", "--preview", code=1)
    assert "one: begins" in told
    assert (queued.state("one"), queued.state("two")) == ("queued", "queued")
    assert queued.found("one").note == "goes on: seed 1 finished, seed 3 failed"
    monkeypatch.setenv("GENELAB_TEST_BEHAVIOUR", "{}")
    told = queued("launch", "--preview")
    # What was begun goes on first.
    assert told.index("one: goes on") < told.index("two: begins")
    assert (queued.state("one"), queued.state("two")) == ("trained", "trained")
    assert "nothing is queued" in queued("launch")
    run = json.loads(Path("runs/campaigns/c/two/seed_1/run.json").read_text())
    assert "genelab train" in " ".join(run["command"])
    assert [o["path"] for o in run["overrides"]] == [o.path for o in queued.campaign().items["two"].overrides]


@pytest.mark.slow
def test_a_real_training_from_the_queue_to_the_page(place: Place) -> None:
    place.new()
    tiny = ("--set", "train.iterations=2", "--set", "train.num_envs=8", "--set", "protocol.episodes=4")
    engine = ("--set", "env.sim.engine=mujoco", "--joint", "small on purpose")
    place("add", "one", PENDULUM, *tiny, *engine, "--seeds", "1,2", "--device", "cpu", "--why", "first")
    place("queue", "one")
    place("launch", "--preview", "--parallel", "2")
    for path in Path("runs/campaigns/c/one").glob("seed_*/*.json"):
        # As if the code were committed, whatever it is while the tests run.
        def commit(record: dict[str, Any]) -> None:
            for stamp in record.get("code", ()):
                stamp.update(dirty=False, diff_sha256=None)

        edit(path, commit)
    assert f"one: taken in as {PENDULUM}/c.one" in place("intake", "--all")
    entry = place.found("one").entry
    assert entry is not None
    assert entry.record.reproduce.startswith(f"genelab train {PENDULUM} --seeds 1,2 --set")
    assert "| one | GeneLab-Inverted-Pendulum-v1 |" in (place.docs / "campaigns" / "c.md").read_text()


def test_code_that_is_not_committed_is_not_launched(queued: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = CodeStamp(name="genelab", version="0", commit="a" * 40, dirty=True)
    monkeypatch.setattr(launch, "code_stamp", lambda _: stamp)
    assert "is not committed, so the result could never be an entry" in queued("launch", code=1)
    assert not Path("runs/campaigns/c/one").exists()


def test_a_device_that_is_not_there_blocks_the_item_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "visible_gpus", list)
    place.new()
    place.add("base", "--device", "cuda")
    place("queue", "base")
    assert "base: blocked: needs the device cuda, and there is no GPU" in place("launch", "--preview", code=1)


@pytest.mark.slow
def test_a_launch_that_is_killed_goes_on_and_a_second_one_is_refused(
    queued: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = [sys.executable, command.__file__, "campaign", "launch", "c", "--preview"]
    env = os.environ | {"GENELAB_TEST_BEHAVIOUR": json.dumps({"1": "wait"})}
    with Path("launch.log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, env=env)
    log = Path("runs/campaigns/c/one/seed_1/train.log")
    wait_for(lambda: log.exists() and "waiting" in log.read_text())
    assert queued.state("one") == "running"
    assert f"'runs/campaigns/c' is in use by process {process.pid}" in queued("launch", "--preview", code=2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    monkeypatch.setenv("GENELAB_TEST_BEHAVIOUR", "{}")
    queued("launch", "--preview")
    assert (queued.state("one"), queued.state("two")) == ("trained", "trained")
    run = json.loads(Path("runs/campaigns/c/one/seed_1/run.json").read_text())
    # Not from 0, and under its own name.
    assert [(a["from_iteration"], a["end"]) for a in run["attempts"]] == [(0, "interrupted"), (3, "finished")]
