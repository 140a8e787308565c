"""What the episodes of a walking robot say beside the return: by level of the terrain, and against standing still."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from genelab.cli.eval import level_lines, result_lines
from genelab.publish.render import compose
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from genelab.records.check.episodes import check_eval
from genelab.records.derived import baseline_of, by_level, no_better_than, unproven
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.sweep.live import describe_evaluation
from tests.records.factory import edit, episodes_of, make_sweep, make_walker, set_at

UPSTREAM = Path(__file__).parents[2] / "reference" / "upstream"
WALKING = {
    "commanded_speed": (0.7, 0.7),
    "speed_along_command": (0.6, 0.0),
    "lin_vel_error": (0.2, 0.7),
    "turn_error": (0.3, 0.5),
}
STANDING = WALKING | {"speed_along_command": (0.02, 0.0), "lin_vel_error": (0.69, 0.7)}


def test_episodes_are_told_apart_by_the_level_they_began_on() -> None:
    episodes = episodes_of([float(k) for k in range(8)])
    ends = ("truncated", "terminated", "truncated", "terminated") * 2
    way: dict[str, Any] = {"commanded_speed": (1.0,) * 8, "speed_along_command": (0.5, 0.25, 0.0, 1.0) * 2}
    lengths = (100, 10, 100, 10) * 2
    episodes = episodes.replace(end=ends, measures=way, length=lengths)
    found = by_level(episodes, 3)
    # Episodes 0, 3, 6; 1, 4, 7; 2, 5.
    assert [(one.level, one.episodes, one.return_mean) for one in found] == [(0, 3, 3.0), (1, 3, 4.0), (2, 2, 3.5)]
    assert [one.fall_rate for one in found] == pytest.approx([1 / 3, 2 / 3, 0.5])
    # Weighted by length: (50 + 10 + 0) / 210, (2.5 + 50 + 10) / 120, (0 + 2.5) / 110.
    assert [one.share_of_the_way for one in found] == pytest.approx([60 / 210, 62.5 / 120, 2.5 / 110])
    # A level on which none began is not told.
    assert [one.level for one in by_level(episodes, 100)] == list(range(8))
    assert by_level(episodes_of([1.0]), 1)[0].share_of_the_way is None


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(0.2, ()), (0.6, ()), (0.67, ("lin_vel_error",)), (0.7, ("lin_vel_error",)), (0.9, ("lin_vel_error",))],
)
def test_a_velocity_error_must_be_clearly_below_that_of_standing(error: float, verdict: tuple[str, ...]) -> None:
    policy, idle = (
        episodes_of([1.0] * 8, None, {"lin_vel_error": value, "turn_error": turn})
        for value, turn in ((error, 0.1), (0.7, 0.5))
    )
    assert no_better_than(policy, idle) == verdict
    assert no_better_than(episodes_of([1.0]), episodes_of([1.0])) is None


@pytest.mark.slow
def test_who_stands_is_flagged_everywhere_and_who_walks_is_not(tmp_path: Path) -> None:
    for name, measures in (("stands", STANDING), ("walks", WALKING)):
        sweep = make_sweep(tmp_path / name / "sweep", task=make_walker(), measures=measures)
        store = tmp_path / name / "reference"
        add_entry(sweep, "first", store)
        shutil.copytree(UPSTREAM, store / "upstream")
        assert check_path(store / "Toy-v1").findings == []
        text = compose(store, tmp_path / name / "docs").text
        path = sweep / "seed_1" / "eval.json"
        record = read_record(path, EvalRecord)
        # Its return is clearly above idle's in both.
        flagged = "| clearly above, **no better in** lin vel error |" in text
        assert flagged == (name == "stands")
        assert ("| clearly above |" in text) == (name == "walks")
        told = ["lin_vel_error not clearly below that of doing nothing"] if flagged else []
        assert unproven(record) == told
        assert describe_evaluation(path).endswith("lin_vel_error not clearly below that of doing nothing **") == flagged
        assert "By level of the terrain on which an episode began: level 0 return 39.103 to 39.303" in text
        assert "(doing nothing return 3.833, falls 0.000, distance 0.005)" in text


def test_levels_are_told_beside_idle(tmp_path: Path) -> None:
    task = make_walker()
    sweep = make_sweep(tmp_path / "sweep", task=task, seeds=(1,), measures=WALKING)
    record = read_record(sweep / "seed_1" / "eval.json", EvalRecord)
    lines = level_lines(record, task.env.terrain)
    assert lines[1] == "level 1  3 episodes: return 39.097 (3.667), fell 0% (0%), distance 86% (-0%)"
    assert len(lines) == 3
    assert level_lines(record, None) == []


def test_the_probe_is_part_of_the_entry_and_of_its_page(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", task=make_walker(), measures=WALKING)
    store = tmp_path / "reference"
    entry = add_entry(sweep, "first", store)
    assert "seed_2/probe.json" in [file.path for file in load_store(store)[0].record.files]
    (store / "upstream").mkdir()
    shutil.copy(UPSTREAM / "published_numbers.json", store / "upstream")
    text = compose(store, tmp_path / "docs").text
    # The 10th percentile lies between the last and the one before: 0.4 + 0.2 x 0.4.
    assert "| forward | 0.5 | 0 | 0 | 80% | 48% | 1 of 3 | 2 of 3 |" in text
    assert "| turn right | 0 | 0 | -1 | 80% | 48% | 1 of 3 | 2 of 3 |" in text
    assert (entry / "seed_1" / "probe.json").is_file()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("seed", 7, "seed: 7, run.json has 1"),
        ("weights_sha256", "0" * 64, "weights_sha256: '000000"),
        ("iteration", 3, "iteration: 3, run.json has 30"),
        ("probe.seed", 5, "probe.seed: 5, the snapshot has 0"),
        ("cases.0.falls", 0, "its numbers do not follow from its columns"),
        ("cases.0.achieved.0", 0.1, "its numbers do not follow from its columns"),
    ],
)
def test_a_probe_of_something_else_is_found(tmp_path: Path, field: str, value: object, told: str) -> None:
    sweep = make_sweep(tmp_path / "sweep", task=make_walker(), seeds=(1,), measures=WALKING)
    path = sweep / "seed_1" / "probe.json"
    set_at(path, field, value)
    assert [told in str(finding) for finding in check_path(sweep).findings] == [True], check_path(sweep).findings
    path.unlink()
    [finding] = check_path(sweep).findings
    assert finding.path == path
    # It says what makes one: an older run has none.
    assert f"`genelab probe Toy-v1 {sweep}/seed_1/model_final.pt --out {path}` makes it" in str(finding)


def test_cases_in_another_order_are_found(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", task=make_walker(), seeds=(1,), measures=WALKING)
    edit(sweep / "seed_1" / "probe.json", lambda record: record["cases"].reverse())
    [finding] = check_path(sweep).findings
    assert "cases are not those of the probe, in its order" in str(finding)


def _held_against_standing(record: EvalRecord, error: float) -> EvalRecord:
    """The record of a robot that falls without a policy, and stands with this error."""
    standing = episodes_of([5.0, 5.0], None, dict.fromkeys(WALKING, 0.0) | {"lin_vel_error": error, "turn_error": 0.9})
    baselines = record.baselines.model_copy(update={"frozen": baseline_of(standing)})
    return record.model_copy(update={"baselines": baselines})


def test_who_is_no_better_than_a_robot_that_stands_is_told(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", task=make_walker(), measures=WALKING)
    record = read_record(sweep / "seed_1" / "eval.json", EvalRecord)
    worse = "lin_vel_error not clearly below that of standing still"
    assert worse not in unproven(_held_against_standing(record, 0.9))
    assert worse in unproven(_held_against_standing(record, 0.2))
    assert list(_held_against_standing(record, 0.2).baselines.by_name) == ["idle", "random", "frozen"]


HELD: dict[str, Any] = {"baselines": ("frozen",), "drawn_starts": 0.3}


def test_a_baseline_that_a_task_wants_and_a_record_lacks_is_found(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", task=make_walker().model_copy(update=HELD), measures=WALKING)
    assert check_path(sweep).findings == []
    edit(sweep / "seed_2" / "eval.json", lambda data: data["baselines"].pop("frozen"))
    edit(sweep / "seed_3" / "eval.json", lambda data: data.pop("drawn_starts"))
    told = [str(finding) for finding in check_path(sweep).findings]
    assert any("baselines: ['idle', 'random']" in problem for problem in told)
    assert any("drawn_starts: False" in problem for problem in told)


def test_the_page_tells_what_standing_earns_and_who_is_no_better(tmp_path: Path) -> None:
    for name, measures in (("stands", STANDING), ("walks", WALKING)):
        sweep = make_sweep(tmp_path / name / "sweep", task=make_walker().model_copy(update=HELD), measures=measures)
        store = tmp_path / name / "reference"
        add_entry(sweep, "first", store)
        shutil.copytree(UPSTREAM, store / "upstream")
        text = compose(store, tmp_path / name / "docs").text
        assert "- Standing still as it started earns: " in text
        assert "- From starts anywhere, with 0.3 of the noise of a training: return " in text
        assert "reaching the end 1.000; share of the distance " in text
        assert ("**no better than standing still in** lin vel error" in text) == (name == "stands")
        record = read_record(sweep / "seed_1" / "eval.json", EvalRecord)
        lines = result_lines(record)
        assert [line.split()[0] for line in lines] == ["return", "idle", "random", "frozen", "anywhere"]
        assert "8/8 (67.6% to 100.0%) reach the end" in lines[-1]


@pytest.mark.parametrize("where", ["baselines.frozen", "drawn_starts"])
def test_a_changed_aggregate_of_the_other_episodes_is_found(tmp_path: Path, where: str) -> None:
    sweep = make_sweep(tmp_path / "sweep", task=make_walker(), measures=WALKING)
    record = read_record(sweep / "seed_1" / "eval.json", EvalRecord)
    other = baseline_of(episodes_of([5.0, 7.0], None, dict.fromkeys(WALKING, 0.5)))
    other = other.model_copy(update={"metrics": other.metrics.model_copy(update={"return_mean": 6.5})})
    changed = (
        record.model_copy(update={"drawn_starts": other})
        if where == "drawn_starts"
        else record.model_copy(update={"baselines": record.baselines.model_copy(update={"frozen": other})})
    )
    assert any(problem.startswith(f"{where}.metrics.return_mean") for problem in check_eval(changed))
    assert not any(problem.startswith(where) for problem in check_eval(record))
