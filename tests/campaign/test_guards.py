"""Each failure that a tracker kept by hand let happen, replayed. The numbers are those of docs/guides/campaigns.md."""

import json
import shutil
from pathlib import Path

import pytest

from genelab import registry
from genelab.campaign import results
from genelab.cli import run
from genelab.errors import InputError
from genelab.publish.store import add_entry
from tests.records.factory import edit, make_sweep, make_task, set_at

from .place import LR, TASK, Place, register

pytestmark = pytest.mark.slow


def test_1_a_number_is_never_typed(begun: Place) -> None:
    """Results come from checked entries: one that was edited is no result."""
    begun("status")
    edit(begun.store / TASK / "c.base" / "entry.json", lambda entry: entry["aggregate"].update(mean=991.8))
    assert "entry.aggregate.mean: 991.8 stored" in begun("status", code=1)


def test_2_a_target_of_another_metric_is_refused(place: Place) -> None:
    place.new(metric="final_average")
    told = place("target", TASK, "--metric", "return_mean", "--value", "39", "--source", "table 1", code=2)
    assert "--metric return_mean: campaign 'c' judges final_average" in told


def test_2_the_metric_cannot_change_mid_way(begun: Place) -> None:
    set_at(begun.folder / "campaign.json", "metric", "strength")
    assert "campaign.json': was edited by hand" in begun("status", code=2)


@pytest.mark.parametrize("metric", ["final_average", "strength", "stability"])
def test_2_the_metric_named_is_the_one_that_is_judged(place: Place, metric: str) -> None:
    """By its curves two trainings are equal, whatever their final evaluations say."""
    place.new(metric=metric)
    place.add("base")
    place.entered("base", 30.0)
    place.change("lr")
    told = place.entered("lr", 20.0)
    assert "against c.base" in told
    assert "regression" not in told


def test_3_an_override_without_effect_is_refused(begun: Place) -> None:
    assert "unknown path; nearest: agent.gamma" in begun.add("x", "--set", "agent.gama=0.95", code=2)
    assert "changes nothing, the registered task has that value" in begun.change("x", value="0.001", code=2)


def test_3_an_override_that_training_ignored_is_found(begun: Place) -> None:
    begun.change("lr")
    begun.trained("lr", 35.0, task=make_task())
    told = begun("intake", "lr", code=1)
    assert f"step 'declared changes': rejected: {LR} = 0.01 was declared and is not in effect" in told
    assert begun.state("lr") == "rejected"
    assert not (begun.store / TASK / "c.lr").exists()
    # The reason stays to be seen, and the item stays closed.
    assert "is not in effect" in begun("status")
    assert "is rejected" in begun("queue", "lr", code=2)
    assert "is rejected" in begun("intake", "lr", code=2)
    assert "--corrects base: is not rejected" in begun.change("lr2", "--corrects", "base", code=2)
    begun.change("lr2", "--corrects", "lr")


def test_4_the_wrong_family_is_rejected(begun: Place) -> None:
    """A variant was trained that the item does not name."""
    begun.change("lr")
    task = make_task()
    agent = task.agent.model_copy(update={"learning_rate": 0.01, "gamma": 0.995})
    begun.trained("lr", 35.0, task=task.model_copy(update={"agent": agent}))
    assert "agent.gamma = 0.995 was not declared" in begun("intake", "lr", code=1)
    assert begun.state("lr") == "rejected"


def test_4_a_task_that_changed_since_is_not_launched(begun: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    begun.change("lr")
    other = make_task(task_version=2)
    register(monkeypatch, other)
    assert "the registered task was changed" in begun("queue", "lr", code=2)


def test_5_several_changes_at_once_need_a_reason_and_are_confounded(begun: Place) -> None:
    more = ("--set", "agent.gamma=0.95", "--set", "agent.lam=0.9")
    assert "changes 3 values at once" in begun.change("all", *more, code=2)
    begun.change("all", *more, "--joint", "the official set")
    assert "improvement (confounded) against c.base" in begun.entered("all", 36.0)


def test_6_an_unchanged_rerun_is_refused(begun: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "changes nothing in its baseline" in begun.add("again", "--baseline", "base", code=2)
    assert "'base' trains the same configuration and is entered" in begun.add("again", code=2)
    begun("judge", "base", "--decision", "adopt", "--why", "first")
    monkeypatch.setattr(results, "changed_since", lambda *_: [])
    assert "c.base is of the same configuration and code" in begun.add("again", code=2)
    # With other code it is a new question, until there is an entry of that code.
    monkeypatch.setattr(results, "changed_since", lambda *_: ["genelab/envs/env.py"])
    begun.add("again")
    monkeypatch.setattr(results, "changed_since", lambda *_: [])
    assert "c.base is of the same configuration and code" in begun("queue", "again", code=2)
    monkeypatch.setattr(results, "changed_since", lambda *_: ["genelab/envs/env.py"])
    begun("queue", "again")
    monkeypatch.setattr(results, "changed_since", lambda *_: [])
    assert "again: blocked: item 'again': Toy-v1/c.base is of the same" in begun("launch", "--preview", code=1)


def test_6_new_seeds_are_pooled_with_the_old_ones(begun: Place) -> None:
    begun.change("lr")
    begun.entered("lr", 31.0, spread=2.0)
    told = begun("judge", "lr", "--decision", "repeat", "--seeds", "3,4", "--why", "undecided", code=2)
    assert "--seeds 3: item 'lr' has it already" in told
    begun("judge", "lr", "--decision", "repeat", "--seeds", "4,5,6", "--why", "undecided")
    assert begun.found("lr").note == "goes on: seed 1 finished, seed 2 finished, seed 3 finished, seed 4 new, " + (
        "seed 5 new, seed 6 new"
    )
    # A launch would add the seeds to the same sweep.
    shutil.rmtree("runs/campaigns/c/lr")
    begun.trained("lr", 31.0, spread=2.0)
    told = begun("intake", "lr")
    # Not against the first three of its own six.
    assert [line for line in told.splitlines() if "against" in line] == ["lr: undecided against c.base"]
    entry = begun.found("lr").entry
    assert entry is not None
    assert (entry.record.entry_id, entry.record.seeds.finished) == ("c.lr.2", (1, 2, 3, 4, 5, 6))


def test_7_the_best_of_many_is_no_baseline(begun: Place) -> None:
    """Of equal entries the newest is the only one to compare with; and it is an entry, never one of its seeds."""
    add_entry(make_sweep(Path("lucky")), "lucky", begun.store)
    add_entry(make_sweep(Path("later"), seeds=(4, 5, 6)), "later", begun.store)
    told = begun.change("lr", baseline=f"{TASK}/lucky", code=2)
    assert f"{TASK}/later is of the same configuration and newer; the better one of equal trainings is luck" in told
    assert "is no item and no TASK/ENTRY" in begun.change("lr", baseline=f"{TASK}/later/seed_4", code=2)
    begun.change("lr", baseline=f"{TASK}/later")


def test_7_a_baseline_with_a_missing_seed_is_refused(begun: Place) -> None:
    add_entry(
        make_sweep(Path("part"), task=make_task(return_ceiling=None), failed={2: "x"}),
        "part",
        begun.store,
        allow_missing=True,
    )
    assert "has no mean, since seeds of it are missing" in begun.change("lr", baseline=f"{TASK}/part", code=2)


def test_8_a_step_that_fails_is_told_and_stays_undone(begun: Place) -> None:
    begun.change("lr")
    begun.trained("lr", 35.0)
    (begun.store / TASK / "c.lr").write_text("in the way")
    assert "lr" in begun("intake", "lr", code=2)
    assert begun.state("lr") == "trained"


def test_9_what_was_tried_before_is_shown(begun: Place) -> None:
    begun.change("lr")
    begun.entered("lr", 20.0)
    begun("judge", "lr", "--decision", "revert", "--why", "far worse")
    told = begun.change("lr2", value="0.02")
    assert f"tried before: c/lr, {LR}: 0.001 -> 0.01, revert: far worse" in told


def test_10_a_page_that_is_behind_fails_the_check(begun: Place, capsys: pytest.CaptureFixture[str]) -> None:
    check = ["render", "--check", "--store", "reference", "--docs", "docs"]
    assert run(check) == 0
    begun.change("lr")
    assert run(check) == 1
    assert "docs/campaigns/c.md: differs from the records" in capsys.readouterr().out
    begun.entered("lr", 35.0)
    assert run(check) == 0


def test_11_a_pass_is_stale_after_the_task_or_the_code_changed(begun: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    begun("target", TASK, "--metric", "return_mean", "--value", "29", "--source", "table 1")
    assert "reached" in begun("status")
    assert f"stale: {TASK}/c.base: its commit is not known here" in begun("status")
    monkeypatch.setattr(results, "changed_since", lambda *_: ["genelab/envs/rewards.py"])
    assert "changed since: genelab/envs/rewards.py" in begun("status")
    monkeypatch.setattr(results, "changed_since", lambda *_: [])
    assert "stale" not in begun("status")
    env = make_task().env
    faster = make_task(env=env.model_copy(update={"decimation": 4}))
    register(monkeypatch, faster)
    assert "reached, **stale**: configuration changed: env.decimation" in begun("status")
    register(monkeypatch, make_task(task_version=2))
    assert "reached, **stale**: task version 1 -> 2" in begun("status")


def test_12_a_regression_is_told_at_intake(begun: Place) -> None:
    begun.change("lr")
    begun.entered("lr", 33.0)
    begun("judge", "lr", "--decision", "adopt", "--why", "better")
    begun.change("lam", "--set", "agent.lam=0.9", "--joint", "both", value="0.02")
    told = begun.entered("lam", 30.2)
    # Equal to its baseline, and worse than the newest entry of the task.
    assert "lam: equivalent (confounded) against c.base" in told
    assert "lam: regression (confounded) against c.lr" in told
    assert "regressed: lam: regression" in begun("status", code=1)
    begun("judge", "lam", "--decision", "drop", "--why", "worse")
    begun("status")


def test_13_the_rule_cannot_be_bent_afterwards(begun: Place) -> None:
    begun("target", TASK, "--metric", "return_mean", "--value", "30.5", "--source", "table 1")
    assert "missed" in begun("status")
    set_at(begun.folder / "campaign.json", "targets.0.value", 29.0)
    assert "was edited by hand" in begun("status", code=2)


def test_14_a_refuted_premise_closes_what_builds_on_it(begun: Place) -> None:
    premise = ("--premise", "the reference's std is of the state", "--premise-source", "config.py:12")
    begun.change("a", *premise)
    begun.change("b", *premise, value="0.02")
    begun.change("c", value="0.03")
    assert "has no premise" in begun("refute", "c", "--why", "x", code=2)
    begun("refute", "a", "--why", "it is a scalar: config.py:40")
    assert [begun.state(item) for item in "abc"] == ["withdrawn", "withdrawn", "draft"]
    assert begun.found("b").note == "premise refuted: it is a scalar: config.py:40"
    # For good, and also where nothing is open any more.
    assert "item 'b': premise refuted: it is a scalar" in begun("queue", "b", code=2)
    assert "item 'd': premise refuted: it is a scalar" in begun.change("d", *premise, value="0.04", code=2)
    assert "item 'a' is withdrawn, its premise refuted" in begun("refute", "a", "--why", "again")


def test_14_an_entered_item_is_flagged_and_stays(begun: Place) -> None:
    begun.change("a", "--premise", "p", "--premise-source", "s")
    begun.entered("a", 35.0)
    assert "item 'a' is entered, its premise refuted" in begun("refute", "a", "--why", "it is not so")
    assert "entered (premise refuted: it is not so)" in begun("status")
    begun("judge", "a", "--decision", "revert", "--why", "x")
    assert "item 'a' is judged, its premise refuted" in begun("refute", "a", "--why", "it is not so")
    assert begun.state("a") == "judged"


def test_15_code_that_is_not_committed_makes_no_entry(begun: Place) -> None:
    begun.change("lr")
    folder = begun.trained("lr", 35.0)
    set_at(folder / "seed_2" / "run.json", "code.0.dirty", True)
    assert "step 'committed code': seed 2 ran code of genelab that is not committed" in begun("intake", "lr", code=1)
    assert begun.state("lr") == "trained"


def test_16_attempts_are_counted_and_the_item_keeps_its_name(begun: Place) -> None:
    begun.change("lr")
    folder = begun.trained("lr", 35.0, failed={2: "diverged"})
    assert begun.found("lr").note == "goes on: seed 1 finished, seed 2 failed, seed 3 finished"
    set_at(folder / "sweep.json", "seeds.1.attempts", 3)
    assert (begun.state("lr"), begun.found("lr").note) == ("failed", "seed 2, 3 attempts: diverged")
    assert "is failed" in begun("intake", "lr", code=2)
    begun("queue", "lr")
    assert begun.state("lr") == "queued"


def test_17_the_variant_is_that_of_the_entry(begun: Place) -> None:
    text = (begun.docs / "campaigns" / "c.md").read_text()
    assert f"| base | {TASK} |" in text
    with pytest.raises(InputError, match="has no variant 'big'"):
        registry.get_task(TASK, "big")
    assert "has no variant 'big'" in begun("add", "x", TASK, "--variant", "big", "--why", "y", code=2)


def test_18_names_are_exact_and_half_an_entry_is_no_entry(begun: Place) -> None:
    assert "has no item 'bas'; nearest: base" in begun("intake", "bas", code=2)
    (begun.store / TASK / "c.base" / "seed_3" / "eval.json").unlink()
    assert "missing" in begun("status", code=1)


def test_19_seeds_spread_and_idle_are_shown(begun: Place) -> None:
    begun("target", TASK, "--metric", "return_mean", "--value", "35", "--source", "table 1", "--n-seeds", "4")
    row = next(line for line in begun("status").splitlines() if line.startswith(TASK))
    for shown in ("35.000 (n = 4)", "3.750", "c.base", "1,2,3", "30.000 (29.831 to 30.169)", "84%", "missed"):
        assert shown in row
    assert json.loads(begun("status", "--json"))["targets"][0]["verdict"] == "missed"
