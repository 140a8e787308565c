import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from genelab.cli import run
from genelab.compare.compare import compare
from genelab.compare.sides import load
from genelab.config.commands import CompareCfg
from genelab.config.overrides import apply_overrides
from genelab.errors import InputError
from genelab.publish.store import add_entry
from genelab.records.compare import CompareRecord, Verdict
from genelab.records.schema import json_schemas
from genelab.show.compare import draw, lines
from tests.records.factory import EPISODES, make_sweep, make_task, make_walker, set_at

STORE = Path("reference")


def around(center: float, spread: float = 0.5) -> Callable[[int], Sequence[float]]:
    """Returns of seeds: seed s has a mean of center + (s mod 3 - 1) spread."""
    return lambda seed: [center + (seed % 3 - 1) * spread + 0.01 * (-1) ** k for k in range(EPISODES)]


def compared(a: Path, b: Path, *, across: bool = False, **cfg: object) -> CompareRecord:
    return compare(load(str(a), STORE), load(str(b), STORE), CompareCfg(**cfg), across=across)


def sweeps(tmp_path: Path, old: float, new: float, spread: float = 0.5, **told: object) -> CompareRecord:
    a = make_sweep(tmp_path / "a", returns=around(old, spread))
    b = make_sweep(tmp_path / "b", returns=around(new, spread), seeds=(4, 5, 6))
    return compared(a, b, **told)


@pytest.mark.parametrize(
    ("new", "spread", "verdict", "passes", "strictly"),
    [
        (30.0, 0.1, "equivalent", True, True),
        (29.0, 0.1, "equivalent", True, True),
        (20.0, 0.5, "regression", False, False),
        (36.0, 0.5, "improvement", True, True),
        (28.0, 2.0, "undecided", True, False),
    ],
)
def test_each_verdict(
    tmp_path: Path, new: float, spread: float, verdict: Verdict, passes: bool, strictly: bool
) -> None:
    record = sweeps(tmp_path, 30.0, new, spread)
    assert record.verdict == verdict, lines(record)
    assert (record.gate(strict=False), record.gate(strict=True)) == (passes, strictly)
    assert any(line.startswith(f"{verdict}: ") for line in lines(record))


def test_numbers_of_a_comparison(tmp_path: Path) -> None:
    row = sweeps(tmp_path, 30.0, 20.0).metrics[0]
    # Doing nothing earns 3.75, and the seeds of either side have a standard deviation of 0.5.
    assert row.margin == pytest.approx(0.05 * (30.0 - 3.75))
    assert row.difference == pytest.approx(-10.0)
    assert row.ci95 == pytest.approx((-10.0 - 2.266958 / 2, -10.0 + 2.266958 / 2))
    assert row.a.std == pytest.approx(0.5)
    assert row.a.values == pytest.approx((30.0, 30.5, 29.5))


def test_the_margin_decides(tmp_path: Path) -> None:
    assert sweeps(tmp_path, 30.0, 28.5, 0.1).verdict == "regression"
    assert compared(tmp_path / "a", tmp_path / "b", margin=0.1).verdict == "equivalent"


def test_undecided_tells_what_it_would_take(tmp_path: Path) -> None:
    record = sweeps(tmp_path, 30.0, 28.0, 2.0)
    row = record.metrics[0]
    assert row.smallest_shown == pytest.approx(2 * 2.266958)
    assert row.seeds_needed is not None
    assert row.seeds_needed > 3
    assert f"{row.seeds_needed} seeds a side would decide" in lines(record)[-1]


def test_identical_before_any_statistics(tmp_path: Path) -> None:
    a, b = (make_sweep(tmp_path / name, returns=around(30.0, 5.0)) for name in "ab")
    record = compared(a, b)
    assert record.verdict == "identical"
    assert record.episodes is not None
    assert (record.episodes.equal, record.episodes.compared) == (3 * EPISODES, 3 * EPISODES)
    assert record.metrics[0].ci95 is None


def test_two_evaluations_equal_to_the_last_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (make_sweep(tmp_path / name) / "seed_1" / "eval.json" for name in "ab")
    assert run(["compare", str(a), str(b), "--gate"]) == 0
    assert f"{EPISODES} of {EPISODES} episodes equal" in capsys.readouterr().out


def test_equal_weights_are_not_identical_if_an_episode_differs(tmp_path: Path) -> None:
    a = make_sweep(tmp_path / "a", returns=around(30.0))
    b = make_sweep(
        tmp_path / "b",
        # One episode of one seed, in the last bits.
        returns=lambda seed: [v + 1e-13 * (seed == 2 and k == 5) for k, v in enumerate(around(30.0)(seed))],
    )
    record = compared(a, b)
    assert record.verdict == "equivalent"
    assert record.episodes is not None
    assert record.episodes.equal == 3 * EPISODES - 1
    assert any("the policies are the same" in note for note in record.notes)


def test_one_seed_a_side_is_no_comparison_of_trainings(tmp_path: Path) -> None:
    sweeps(tmp_path, 30.0, 30.0)
    record = compared(tmp_path / "a" / "seed_1", tmp_path / "b" / "seed_4")
    assert record.verdict == "not_comparable"
    assert record.reasons[0] == "A: has one seed, and a comparison of trainings needs two"
    assert record.metrics[0].verdict is None


def test_a_missing_seed_never_passes(tmp_path: Path) -> None:
    a = make_sweep(tmp_path / "a", returns=around(30.0))
    b = make_sweep(tmp_path / "b", returns=around(30.0), failed={2: "diverged"})
    record = compared(a, b)
    assert record.verdict == "not_comparable"
    assert not record.gate(strict=False)
    assert "seed 2 is not finished" in record.reasons[0]
    assert record.metrics == (), "no mean of the survivors"


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        ("episodes.return.3", float("nan"), "NaN"),
        ("episodes.return.3", None, "valid number"),
        ("metrics.return_mean", float("inf"), "Infinity"),
        ("metrics.return_mean", 39.0, "recomputed"),
        ("baselines.idle.metrics.return_mean", None, "valid number"),
    ],
)
def test_what_is_not_finite_or_fails_the_check_never_passes(
    tmp_path: Path, where: str, value: float | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (make_sweep(tmp_path / name, returns=around(30.0)) for name in "ab")
    set_at(b / "seed_2" / "eval.json", where, value)
    assert run(["compare", str(a), str(b), "--gate"]) == 1
    out = capsys.readouterr().out
    assert "not comparable: B: " in out
    assert told in out
    assert out.endswith("gate: failed\n")


def test_another_task_or_protocol_comes_before_identical(tmp_path: Path) -> None:
    task = make_task()
    a = make_sweep(tmp_path / "a")
    other = {
        "task": make_task("Other-v1"),
        "task_version": make_task(task_version=2),
        "protocol: episodes": make_task(protocol=task.protocol.model_copy(update={"seed": 7})),
    }
    for name, changed in other.items():
        record = compared(a, make_sweep(tmp_path / changed.id / str(len(name)), task=changed))
        assert record.verdict == "not_comparable", name
        assert record.reasons[0].startswith(f"other {name.partition(':')[0]}")


@pytest.mark.parametrize(
    ("assignment", "told"),
    [("train.num_envs=8", "other budget: "), ("env.rewards.alive.weight=2.0", "other environment: env.rewards.alive")],
)
def test_another_budget_or_environment_on_demand(tmp_path: Path, assignment: str, told: str) -> None:
    task, _ = apply_overrides(make_task(), [assignment])
    a, b = make_sweep(tmp_path / "a"), make_sweep(tmp_path / "b", task=task, seeds=(4, 5, 6))
    record = compared(a, b)
    assert record.verdict == "not_comparable"
    assert record.reasons[0].startswith(told)
    allowed = compared(a, b, across=True)
    assert allowed.verdict == "equivalent"
    assert allowed.across[0].startswith(told)
    assert any(line.startswith(f"allowed by --across: {told}") for line in lines(allowed))


def test_a_learner_may_differ_and_is_listed(tmp_path: Path) -> None:
    task, _ = apply_overrides(make_task(), ["agent.learning_rate=0.5"])
    a, b = make_sweep(tmp_path / "a"), make_sweep(tmp_path / "b", task=task, seeds=(4, 5, 6))
    record = compared(a, b)
    assert record.verdict == "equivalent"
    assert [(d.path, d.a, d.b) for d in record.config] == [("agent.learning_rate", 0.001, 0.5)]
    assert "  agent.learning_rate: 0.001 -> 0.5" in lines(record)


def test_a_seed_that_learnt_nothing_is_flagged_whatever_the_mean(tmp_path: Path) -> None:
    a = make_sweep(tmp_path / "a", returns=around(8.0, 3.0))
    b = make_sweep(tmp_path / "b", returns=lambda seed: around(3.8 if seed == 5 else 8.0, 0.1)(seed), seeds=(4, 5, 6))
    record = compared(a, b)
    assert record.verdict == "undecided"
    assert not record.gate(strict=False)
    assert record.unreliable == ("seed 5 of B is not clearly above doing nothing, where every seed of A is",)
    assert compared(b, a).unreliable == ()


def test_better_without_a_change_is_suspicious(tmp_path: Path) -> None:
    assert any("without a change" in note for note in sweeps(tmp_path, 30.0, 36.0).notes)


def test_errors_are_better_when_lower_and_keep_their_sign(tmp_path: Path) -> None:
    task, seeds = make_walker(), (4, 5, 6)
    measures = dict.fromkeys(task.env.measures, (0.5, 1.0))
    worse = measures | {"lin_vel_error": (0.8, 1.0), "turn_error": (0.2, 1.0)}
    a = make_sweep(tmp_path / "a", task=task, measures=measures)
    b = make_sweep(tmp_path / "b", task=task, measures=worse, seeds=seeds)
    record = compared(a, b)
    rows = {row.name: row for row in record.metrics}
    assert record.verdict == "equivalent", "the return is what is judged"
    assert (rows["lin_vel_error"].verdict, rows["turn_error"].verdict) == ("regression", "improvement")
    assert rows["lin_vel_error"].difference == pytest.approx(0.3)
    assert rows["lin_vel_error"].unit == "m/s"
    assert rows["commanded_speed"].verdict is None
    assert compared(a, b, metric="lin_vel_error").verdict == "regression"
    with pytest.raises(InputError, match="--metric commanded_speed: is shown and not judged"):
        compared(a, b, metric="commanded_speed")


def test_success_rates_of_seeds_and_of_two_checkpoints(tmp_path: Path) -> None:
    a = make_sweep(tmp_path / "a", success=(8, 8))
    b = make_sweep(tmp_path / "b", success=(4, 4), seeds=(4, 5, 6))
    assert compared(a, b).verdict == "equivalent"
    assert compared(a, b, metric="success_rate").verdict == "regression"
    one = next(row for row in compared(a / "seed_1", b / "seed_4").metrics if row.name == "success_rate")
    assert one.ci_method == "newcombe"
    assert one.ci95 is not None
    assert one.ci95[0] < -0.5 < one.ci95[1]


def test_a_metric_that_only_one_side_has_never_passes(tmp_path: Path) -> None:
    a = make_sweep(tmp_path / "a", success=(8, 8))
    b = make_sweep(tmp_path / "b", seeds=(4, 5, 6))
    record = compared(a, b, metric="success_rate")
    assert (record.verdict, record.reasons) == ("not_comparable", ("success_rate: not on both sides",))
    # An evaluation has no learning curve, so of its own seed the strength is not known on both sides.
    own = compared(a / "seed_1" / "eval.json", a / "seed_1", metric="strength")
    assert (own.verdict, own.reasons) == ("not_comparable", ("strength: not on both sides",))
    assert not own.gate(strict=False)
    with pytest.raises(InputError, match="--metric speed: no side has it; they have return_mean, success"):
        compared(a, b, metric="speed")


def test_entries_by_name_and_by_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "reference"
    add_entry(make_sweep(tmp_path / "a", returns=around(30.0)), "old", store)
    sweep = make_sweep(tmp_path / "b", returns=around(20.0), seeds=(4, 5, 6))
    assert run(["compare", "Toy-v1/old", str(sweep), "--store", str(store)]) == 0
    assert run(["compare", str(store / "Toy-v1" / "old"), str(sweep), "--gate"]) == 1
    assert "entry of Toy-v1 version 1, seeds 1,2,3" in capsys.readouterr().out


def test_an_entry_without_all_seeds_is_not_comparable(tmp_path: Path) -> None:
    store = tmp_path / "reference"
    add_entry(make_sweep(tmp_path / "a", failed={2: "diverged"}), "old", store, allow_missing=True)
    record = compared(store / "Toy-v1" / "old", make_sweep(tmp_path / "b"))
    assert record.verdict == "not_comparable"
    assert "seed 2 is not finished" in record.reasons[0]


def test_json_follows_its_schema_and_the_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import jsonschema

    sweeps(tmp_path, 30.0, 28.0, 2.0)
    words = ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]
    assert run([*words, "--gate"]) == 0
    data = json.loads(capsys.readouterr().out)
    jsonschema.validate(data, json.loads(json_schemas()["compare.schema.json"]))
    assert data["verdict"] == "undecided"
    assert run([*words, "--strict"]) == 1
    assert run(words) == 0
    assert run(["compare", str(tmp_path / "a"), str(tmp_path / "a" / "seed_1")]) == 1


@pytest.mark.parametrize(
    ("b", "told"),
    [("nothing", "'nothing' does not exist, and is no TASK/ENTRY of the store"), (".", "is no run, sweep or entry")],
)
def test_what_is_no_side_is_exit_code_2(
    tmp_path: Path, b: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_sweep(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    assert run(["compare", "a", b if b != "." else "empty", "--gate"]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_the_picture_has_a_dot_for_every_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = sweeps(tmp_path, 30.0, 28.0, 2.0)
    text = draw(record)
    assert text == draw(record)
    assert "undecided" in text
    # Three seeds a side, and the difference.
    assert text.count("<use ") - draw(record.replace(metrics=())).count("<use ") >= 7
    words = ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--plot"]
    assert run([*words, str(tmp_path / "here.svg")]) == 0
    assert (tmp_path / "here.svg").read_text().startswith("<?xml")
    assert run([*words, str(tmp_path)]) == 2
