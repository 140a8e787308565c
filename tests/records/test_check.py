import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genelab.cli import run as genelab
from genelab.config.task import ProtocolCfg
from genelab.errors import InputError
from genelab.records.check import check_path, check_paths
from genelab.records.eval import protocol_as_used
from tests.records.factory import EPISODES, edit, idle_returns, make_sweep, make_task, policy_returns, set_at


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return make_sweep(tmp_path / "sweep")


def messages(path: Path) -> list[str]:
    return [str(finding) for finding in check_path(path).findings]


def test_a_complete_sweep_is_in_order(sweep: Path) -> None:
    report = check_path(sweep)
    assert report.findings == []
    assert "3/3 seeds, 24 episodes" in report.summaries[0]


def test_runs_and_records_can_be_checked_alone(sweep: Path) -> None:
    assert check_path(sweep / "seed_2").findings == []
    assert check_path(sweep / "seed_2" / "eval.json").findings == []


def test_a_record_elsewhere_needs_no_checkpoint_beside_it(sweep: Path, tmp_path: Path) -> None:
    shutil.copy(sweep / "seed_1" / "eval.json", tmp_path / "mine.json")
    assert check_path(tmp_path / "mine.json").findings == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("episodes.return.3", 39.2, "metrics.return_mean"),
        ("episodes.return.3", 41.0, "exceeds the ceiling"),
        ("episodes.return.0", 39.11000001, "round_trip.max_abs_difference"),
        ("episodes.length.3", 101, "the limit is 100"),
        ("episodes.length.3", 99, "was truncated at step 99"),
        ("metrics.return_mean", 39.2, "metrics.return_mean: 39.2 stored, 39.1 recomputed"),
        ("metrics.return_std", 0.0106904496, "metrics.return_std"),
        ("metrics.length_mean", 99.0, "metrics.length_mean"),
        ("metrics.success_rate", 1.0, "metrics.success_rate: 1.0 stored, None recomputed"),
        ("baselines.idle.episodes.return.0", 2.0, "baselines.idle.metrics.return_mean"),
        ("baselines.idle.metrics.return_mean", 2.0, "baselines.idle.metrics.return_mean: 2.0 stored"),
        ("baselines.random.metrics.return_std", 9.0, "baselines.random.metrics.return_std"),
        ("above_idle.passed", False, "above_idle.passed: False stored, True recomputed"),
        ("above_idle.lower_bound", 1.0, "above_idle.lower_bound"),
        ("round_trip.max_abs_difference", 0.5, "round_trip.max_abs_difference"),
        ("round_trip.in_memory_return.0", 39.0, "differs by"),
        ("round_trip.differs", ["torch: 1.0 -> 2.0"], "round_trip.differs"),
        ("hardware.cpu.model", "Other", "round_trip.differs"),
        ("backend.torch.num_threads", 2, "round_trip.differs"),
        ("protocol.sha256", "0" * 64, "protocol.sha256"),
        ("protocol.num_envs", 8, "protocol.sha256"),
        ("config.sha256", "0" * 64, "config.sha256"),
        ("checkpoint.weights_sha256", "0" * 64, "checkpoint.weights_sha256"),
        ("run.seed", 2, "run.seed: 2, run.json has 1"),
        ("timing.train.train_wall_s", 1.0, "timing.train.train_wall_s"),
        ("return_ceiling", 50.0, "return_ceiling"),
        ("episodes.return.3", math.nan, "holds NaN"),
        ("episodes.return", [1e308, -1e308] * 4, "beyond 1e+150"),
        ("episodes.end.0", "crashed", "episodes.end.0"),
        ("metrics.return_mean", "39.1", "metrics.return_mean"),
    ],
)
def test_one_changed_value_in_eval_json_is_found(sweep: Path, path: str, value: Any, expected: str) -> None:
    set_at(sweep / "seed_1" / "eval.json", path, value)
    found = messages(sweep)
    assert any(expected in message for message in found), found
    assert all("\n" not in message for message in found)


def test_returns_may_differ_where_the_processor_does(sweep: Path) -> None:
    trip = sweep / "seed_1" / "eval.json"
    edit(sweep / "seed_1" / "run.json", lambda run: run["hardware"]["cpu"].update(model="Other"))
    model = json.loads(trip.read_text())["hardware"]["cpu"]["model"]
    told = [f"hardware.cpu.model: Other -> {model}"]
    edit(trip, lambda record: record["round_trip"].update(differs=told))
    assert messages(sweep) == []
    returns = json.loads(trip.read_text())["round_trip"]["in_memory_return"]
    changed = {"in_memory_return": [returns[0] + 4.0, *returns[1:]], "max_abs_difference": 4.0, "passed": False}
    edit(trip, lambda record: record["round_trip"].update(changed))
    assert messages(sweep) == []
    edit(trip, lambda record: record["round_trip"].update(passed=True))
    assert any("round_trip.passed" in message for message in messages(sweep))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("config_sha256", "0" * 64, "config_sha256"),
        ("task_version", 2, "task.task_version"),
        ("checkpoint.sha256", "0" * 64, "is not the recorded file"),
        ("checkpoint.bytes", 1, "is not the recorded file"),
        ("checkpoint.path", "../seed_2/model_final.pt", "not a plain path"),
        ("checkpoint.path", "model_9.pt", "model_9.pt: missing"),
        ("timing.env_steps", 11519, "timing.env_steps"),
        ("timing.steps_per_s", 1.0, "timing.steps_per_s"),
        ("timing.iterations", 29, "timing.iterations"),
        ("hardware", None, "missing stamps: hardware"),
        ("status", "evaluating", "seed 1 is not finished: its status is 'evaluating'"),
    ],
)
def test_one_changed_value_in_run_json_is_found(sweep: Path, path: str, value: Any, expected: str) -> None:
    set_at(sweep / "seed_1" / "run.json", path, value)
    assert any(expected in message for message in messages(sweep))


def test_weights_are_recomputed_on_demand(sweep: Path) -> None:
    assert check_path(sweep, lambda _: "0" * 64).findings != []


def test_changed_snapshot_is_found(sweep: Path) -> None:
    set_at(sweep / "seed_2" / "params" / "env.json", "rewards.alive.weight", 2.0)
    assert any("seed_2/params: config_sha256 is" in message for message in messages(sweep))


@pytest.mark.parametrize("name", ["eval.json", "run.json", "curve.jsonl", "model_final.pt", "params/agent.json"])
def test_missing_file_is_found(sweep: Path, name: str) -> None:
    (sweep / "seed_2" / name).unlink()
    found = messages(sweep)
    assert any("missing" in message for message in found), found


def test_missing_seed_is_found(sweep: Path) -> None:
    shutil.rmtree(sweep / "seed_2")
    assert messages(sweep) == [f"{sweep / 'seed_2'}: missing"]


def test_failed_seed_is_found_with_its_reason(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", failed={2: "diverged"})
    assert messages(sweep) == [f"{sweep / 'sweep.json'}: seed 2 is not finished: its state is 'failed' (diverged)"]


def test_stray_seed_is_found(sweep: Path) -> None:
    shutil.copytree(sweep / "seed_1", sweep / "seed_7")
    assert any("seed_7: is no planned seed" in message for message in messages(sweep))


def test_seed_under_another_name_is_found(sweep: Path) -> None:
    shutil.rmtree(sweep / "seed_2")
    shutil.copytree(sweep / "seed_1", sweep / "seed_2")
    found = messages(sweep)
    assert any("holds seed 1" in message for message in found)
    assert any("equal weights" in message for message in found)


def test_a_run_may_be_renamed(sweep: Path, tmp_path: Path) -> None:
    run = (sweep / "seed_1").rename(tmp_path / "walker-final")
    assert check_path(run).findings == []


@pytest.mark.parametrize("name", ["model_final.pt", "curve.jsonl", "run.json", "sim2sim.json"])
def test_a_file_that_cannot_be_read_ends_no_check(sweep: Path, tmp_path: Path, name: str) -> None:
    other = make_sweep(tmp_path / "other")
    file = sweep / "seed_1" / name
    file.unlink(missing_ok=True)
    # Opens, and every read of it fails, for root too.
    file.symlink_to("/proc/self/mem")
    report = check_paths([sweep, other])
    assert [f"{finding.path}: {finding.message}" for finding in report.findings] == [
        f"{file}: unreadable: Input/output error"
    ]
    assert [summary.split(": ")[0] for summary in report.summaries] == [str(other)]


def test_mixed_configs_are_found(sweep: Path, tmp_path: Path) -> None:
    other = make_sweep(tmp_path / "other", task=make_task(task_version=2))
    shutil.rmtree(sweep / "seed_3")
    shutil.copytree(other / "seed_3", sweep / "seed_3")
    found = messages(sweep)
    assert any("mixed configs" in message for message in found)
    assert any("mixed tasks" in message for message in found)


def test_mixed_protocols_are_found(sweep: Path) -> None:
    changed = protocol_as_used(ProtocolCfg(episodes=EPISODES, num_envs=4, round_trip_episodes=3, seed=9), 100)
    for name in ("eval.json", "sim2sim.json"):
        edit(sweep / "seed_3" / name, lambda record: record.update(protocol=changed.model_dump(mode="json")))
    found = messages(sweep)
    assert len(found) == 1
    assert "mixed protocols" in found[0]


def test_seeds_with_equal_weights_are_found(sweep: Path) -> None:
    for name in ("run.json", "eval.json"):
        path = sweep / "seed_2" / name
        twin = json.loads((sweep / "seed_1" / name).read_text())["checkpoint"]["weights_sha256"]
        edit(path, lambda record, twin=twin: record["checkpoint"].update(weights_sha256=twin))
    assert any("seeds 1 and 2 have equal weights: the seed had no effect" in message for message in messages(sweep))


def test_baselines_that_differ_on_one_machine_are_found(sweep: Path, tmp_path: Path) -> None:
    other = make_sweep(tmp_path / "other", idle=[value + 0.5 for value in idle_returns()])
    shutil.rmtree(sweep / "seed_3")
    shutil.copytree(other / "seed_3", sweep / "seed_3")
    assert any("idle baselines of seeds 1 and 3 differ" in message for message in messages(sweep))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"iteration": 29, "episode_return": NaN}', "holds NaN"),
        ('{"iteration": 28, "episode_return": 1.0}', "ends at iteration 28"),
        ('{"iteration": 29', "line 31 is not valid JSON"),
        ('{"iteration": 29, "episode_return": "1"}', "line 31"),
        ('{"iteration": 29, "episode_return": 1.0}', "iteration 29 after 29"),
    ],
)
def test_broken_curve_is_found(sweep: Path, line: str, expected: str) -> None:
    with (sweep / "seed_1" / "curve.jsonl").open("a") as file:
        file.write(line + "\n")
    assert any("curve.jsonl" in m and expected in m for m in messages(sweep)), messages(sweep)


def test_a_row_that_is_not_above_idle_is_no_finding(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", idle=policy_returns(1))
    assert messages(sweep) == []
    assert not json.loads((sweep / "seed_1" / "eval.json").read_text())["above_idle"]["passed"]


def test_record_outside_a_run_is_found_in_a_tree(sweep: Path) -> None:
    (sweep.parent / "loose").mkdir()
    shutil.copy(sweep / "seed_1" / "eval.json", sweep.parent / "loose" / "eval.json")
    assert any("lies outside any run directory" in message for message in messages(sweep.parent))


def test_nothing_to_check_is_an_error_not_ok(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no record"):
        check_path(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        check_path(tmp_path / "nowhere")


def test_exit_codes_and_output(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert genelab(["check", str(sweep), str(sweep / "seed_1")]) == 0
    assert capsys.readouterr().out.count("ok: ") == 2
    edit(sweep / "seed_1" / "eval.json", lambda record: record["metrics"].update(return_mean=1.0))
    assert genelab(["check", str(sweep)]) == 1
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        f"{sweep / 'seed_1' / 'eval.json'}: metrics.return_mean: 1.0 stored, 39.1 recomputed"
    ]
    assert output.err == "error: 1 finding\n"
    assert genelab(["check", str(sweep), str(sweep / "nowhere")]) == 2
    assert capsys.readouterr().out == ""


LEAVES = ["episodes.return", "baselines.idle.episodes.return", "baselines.random.episodes.return"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(leaf=st.sampled_from(LEAVES), k=st.integers(0, EPISODES - 1), shift=st.floats(1e-4, 10.0), sign=st.booleans())
def test_any_changed_episode_return_is_found(sweep: Path, leaf: str, k: int, shift: float, sign: bool) -> None:
    path = sweep / "seed_1" / "eval.json"
    original = path.read_text()
    column = json.loads(original)
    for part in leaf.split("."):
        column = column[part]
    try:
        set_at(path, f"{leaf}.{k}", column[k] + (shift if sign else -shift))
        assert messages(path) != []
    finally:
        path.write_text(original)
