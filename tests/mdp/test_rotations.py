import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from genelab.mdp.rotations import (
    quat_apply,
    quat_apply_inverse,
    quat_conjugate,
    quat_multiply,
    quat_of_angles,
    quat_yaw,
    rotation_vector,
    two_columns,
)

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


@given(unit, unit, unit)
def test_angles_turn_about_fixed_axes_one_after_the_other(roll: float, pitch: float, yaw: float) -> None:
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    one, two, three = (_quat(axis, angle) for axis, angle in zip(axes, (roll, pitch, yaw), strict=True))
    quat = quat_of_angles(*torch.tensor([roll, pitch, yaw]).unbind())
    assert torch.allclose(quat, quat_multiply(three, quat_multiply(two, one)), atol=1e-6)
    assert float(quat_yaw(quat)) == pytest.approx(yaw, abs=1e-5)


def test_a_heading_is_where_the_x_axis_points_seen_from_above() -> None:
    # Rolled by 90 degrees and turned by 90 to the left; and pitched backwards over the vertical, which turns it round.
    angles = torch.tensor([[math.pi / 2, 0.0, math.pi / 2], [0.0, -2.0, 0.0]])
    assert quat_yaw(quat_of_angles(*angles.unbind(1))).tolist() == pytest.approx([math.pi / 2, math.pi], abs=1e-6)


@given(axes, st.floats(-3.0, 3.0))
def test_two_columns_are_where_the_x_and_y_axes_go(axis: tuple[float, float, float], angle: float) -> None:
    quat = _quat(axis, angle)
    x, y = (quat_apply(quat, torch.tensor(each)) for each in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    assert torch.allclose(two_columns(quat).reshape(3, 2), torch.stack([x, y], dim=1), atol=1e-6)
