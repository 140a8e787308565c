"""What a person is told of an evaluation, by `genelab eval` and by the live view."""

from pathlib import Path

from genelab.cli.eval import result_lines
from genelab.records.derived import unproven
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.sweep.live import describe_evaluation
from tests.records.factory import make_sweep


def evaluated(tmp_path: Path, success: tuple[int, int] | None) -> Path:
    return make_sweep(tmp_path / "sweep", seeds=(1,), success=success) / "seed_1" / "eval.json"


def test_success_of_the_policy_stands_above_that_of_the_baselines(tmp_path: Path) -> None:
    path = evaluated(tmp_path, (8, 7))
    record = read_record(path, EvalRecord)
    assert result_lines(record) == [
        "return  39.100 ± 0.010, length 100.0",
        "idle    3.750 ± 0.559, length 100.0",
        "random  1.875 ± 0.280, length 100.0",
        "success 8/8 (67.6% to 100.0%) ever, 7/8 (52.9% to 97.8%) at the end",
        "  idle   1/8 (2.2% to 47.1%) ever, 0/8 (0.0% to 32.4%) at the end",
        "  random 1/8 (2.2% to 47.1%) ever, 1/8 (2.2% to 47.1%) at the end",
    ]
    assert unproven(record) == []
    assert describe_evaluation(path) == (
        "return 39.100 ± 0.010, length 100.0, success 100.0% (at the end 87.5%), "
        "idle 3.750, success 12.5% (at the end 0.0%)"
    )


def test_success_that_luck_explains_is_flagged(tmp_path: Path) -> None:
    path = evaluated(tmp_path, (4, 4))
    assert unproven(read_record(path, EvalRecord)) == ["success not clearly above that of doing nothing"]
    assert describe_evaluation(path).endswith("  ** success not clearly above that of doing nothing **")


def test_without_a_goal_nothing_is_said_of_success(tmp_path: Path) -> None:
    path = evaluated(tmp_path, None)
    assert len(result_lines(read_record(path, EvalRecord))) == 3
    assert unproven(read_record(path, EvalRecord)) == []
    assert describe_evaluation(path) == "return 39.100 ± 0.010, length 100.0, idle 3.750"
