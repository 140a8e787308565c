import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genelab.config.snapshot import dump_task, load_task
from genelab.errors import InputError
from genelab.records.probe import case_of, quantile
from genelab.registry import get_task


def test_shares_are_signed_and_of_the_commanded_component() -> None:
    case = case_of("backward", (-0.8, 0.0, 0.0), [-0.8, -0.4, 0.0, 0.4, -0.6], [False, False, False, False, True])
    # Forward is less than nothing of a command to go back.
    assert case.share_median == pytest.approx(0.5)
    assert case.share_p10 == pytest.approx(-0.5 + 0.4 * 0.5)
    assert case.falls == 1
    # More than half, and standing: the first alone.
    assert case.following == 1


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=80), st.sampled_from([0.1, 0.5]))
def test_quantiles_are_numpys(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        case_of("forward", (1.0, 0.0, 0.0), [float("nan")], [False])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cases": {"still": [0.0, 0.0, 0.0]}}, r"probe\.cases\.still = \[0\.0, 0\.0, 0\.0\]: must have exactly one"),
        ({"cases": {"both": [1.0, 1.0, 0.0]}}, r"probe\.cases\.both = .* must have exactly one component"),
        ({"cases": {"turn_at_0.2": [0.0, 0.0, 0.2]}}, r"probe\.cases.* turn_at_0\.2|probe\.cases\.turn_at_0\.2"),
        ({"cases": {"flat": [1.0, 0.0]}}, r"probe\.cases\.flat = \[1\.0, 0\.0\]: must have 3 components"),
        ({"command": "speed"}, r"probe\.command = 'speed': unknown command 'speed'; known: velocity"),
        ({"measured_steps": 950}, r"probe\.measured_steps = 950: must stay below the 1000 control steps"),
    ],
)
def test_a_probe_that_cannot_work_is_refused(changes: dict[str, object], told: str) -> None:
    snapshot = dump_task(get_task("Genelab-Velocity-Flat-Unitree-Go1-v0"))
    snapshot["task"]["probe"] |= changes
    with pytest.raises(InputError, match=told):
        load_task(snapshot, "task.json")


def test_numbers_that_do_not_follow_from_the_columns_are_refused() -> None:
    case = case_of("forward", (1.0, 0.0, 0.0), [0.2, 0.9], [False, False])
    with pytest.raises(ValueError, match="do not follow from its columns"):
        case.replace(falls=1)
    with pytest.raises(ValueError, match="2 values for 1 environments"):
        case.replace(fell=(False,))
