import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from genelab.mdp.rotations import quat_apply_inverse, quat_conjugate, quat_multiply, rotation_vector

HALF = math.sqrt(0.5)
unit = st.floats(-1.0, 1.0)
axes = st.tuples(unit, unit, unit).filter(lambda axis: math.hypot(*axis) > 0.1)


def _quat(axis: tuple[float, float, float], angle: float) -> Tensor:
    length = math.hypot(*axis)
    values = [math.cos(angle / 2), *(math.sin(angle / 2) * part / length for part in axis)]
    return torch.tensor(values, dtype=torch.float64).to(torch.float32)


@pytest.mark.parametrize(
    ("quat", "vector"),
    [
        ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        ([HALF, HALF, 0.0, 0.0], [math.pi / 2, 0.0, 0.0]),
        ([HALF, 0.0, 0.0, -HALF], [0.0, 0.0, -math.pi / 2]),
        # The same rotation with the other sign, and 270 degrees, which is 90 the other way round.
        ([-HALF, 0.0, 0.0, HALF], [0.0, 0.0, -math.pi / 2]),
        ([-HALF, HALF, 0.0, 0.0], [-math.pi / 2, 0.0, 0.0]),
        ([0.0, 0.0, 1.0, 0.0], [0.0, math.pi, 0.0]),
        # 120 degrees about the diagonal.
        ([0.5, 0.5, 0.5, 0.5], [2 * math.pi / 3 / math.sqrt(3)] * 3),
    ],
)
def test_rotation_vectors_of_known_rotations(quat: list[float], vector: list[float]) -> None:
    assert rotation_vector(torch.tensor(quat)).tolist() == pytest.approx(vector, abs=1e-6)


@pytest.mark.parametrize("angle", [1e-12, 1e-8, 1e-6, 1.9e-6, 2.1e-6, 1e-5, 1e-3])
def test_small_angles_keep_their_relative_precision(angle: float) -> None:
    assert rotation_vector(_quat((0.0, 1.0, 0.0), angle))[1] == pytest.approx(angle, rel=1e-5)


@given(axes, st.floats(0.0, math.pi - 1e-3))
def test_a_rotation_vector_is_axis_times_angle(axis: tuple[float, float, float], angle: float) -> None:
    expected = [angle * part / math.hypot(*axis) for part in axis]
    quat = _quat(axis, angle)
    assert rotation_vector(quat).tolist() == pytest.approx(expected, abs=2e-6)
    assert rotation_vector(-quat).tolist() == pytest.approx(expected, abs=2e-6)


@given(axes, st.floats(-1e-4, 1e-4))
def test_near_half_a_turn_the_angle_is_right_and_the_axis_may_flip(
    axis: tuple[float, float, float], beyond: float
) -> None:
    vector = rotation_vector(_quat(axis, math.pi + beyond))
    assert float(vector.norm()) == pytest.approx(math.pi - abs(beyond), abs=1e-6)
    along = sum(v * a for v, a in zip(vector.tolist(), axis, strict=True)) / math.hypot(*axis)
    assert abs(along) == pytest.approx(math.pi - abs(beyond), abs=1e-6)


def test_products_of_known_rotations() -> None:
    one, i, j, k = torch.eye(4).unbind()
    assert torch.equal(quat_multiply(i, j), k)
    assert torch.equal(quat_multiply(j, i), -k)
    assert torch.equal(quat_multiply(i, i), -one)
    # First 90 degrees about z, then 90 about x: x goes to y and on to z.
    both = quat_multiply(torch.tensor([HALF, HALF, 0.0, 0.0]), torch.tensor([HALF, 0.0, 0.0, HALF]))
    turned = quat_apply_inverse(quat_conjugate(both), torch.tensor([1.0, 0.0, 0.0]))
    assert turned.tolist() == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)


@given(axes, st.floats(0.0, 3.0), axes, st.floats(0.0, 3.0))
def test_a_difference_leads_from_one_orientation_to_the_other(
    axis: tuple[float, float, float], angle: float, other: tuple[float, float, float], turn: float
) -> None:
    """As the arm uses it: the turn that brings the sensed orientation to the wanted one, in the world frame."""
    sensed, step = _quat(axis, angle), _quat(other, turn)
    wanted = quat_multiply(step, sensed)
    found = rotation_vector(quat_multiply(wanted, quat_conjugate(sensed)))
    assert found.tolist() == pytest.approx(rotation_vector(step).tolist(), abs=1e-5)
    assert quat_multiply(sensed, quat_conjugate(sensed)).tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-6)
