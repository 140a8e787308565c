import math

import pytest
import torch
from torch import Tensor

from genelab.mdp.observations import height_scan
from genelab.mdp.state import Names, StateView
from genelab.mdp.terrain import HeightMap
from tests.states import state_view

HEIGHTS = torch.tensor([[0.0, 1.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 0.0]])


@pytest.fixture
def ground() -> HeightMap:
    """Grid points at x = 10, 10.5, 11 and y = -1, -0.5, 0."""
    return HeightMap(HEIGHTS, 0.5, (10.0, -1.0))


def _state(pos: list[float], quat: list[float], terrain: HeightMap) -> StateView:
    names = Names(("hinge",), ("trunk",))
    return state_view(names, 1, link_pos_w=torch.tensor([[pos]]), link_quat_w=torch.tensor([[quat]]), terrain=terrain)


def test_grid_points_have_their_heights(ground: HeightMap):
    x, y = torch.meshgrid(torch.tensor([10.0, 10.5, 11.0]), torch.tensor([-1.0, -0.5, 0.0]), indexing="ij")
    assert torch.equal(ground.height_at(torch.stack([x, y], dim=-1)), HEIGHTS)


@pytest.mark.parametrize(
    ("xy", "height"),
    [
        # In the first square the near triangle is 2 x' + 1 y', the far one 4 - 3 (1 - x') - 2 (1 - y').
        ((0.25, 0.25), 0.75),
        ((0.75, 0.75), 2.75),
        ((0.5, 0.5), 1.5),  # on the diagonal: the mean of 2 and 1, not of all four corners
        ((0.9, 0.2), 2.1),
        # In the second along y, the heights are 1, 0 at x' = 0 and 4, 0 at x' = 1.
        ((0.25, 1.25), 1.0 + 0.25 * 3.0 - 0.25),
        ((0.75, 1.75), 0.0 + 0.25 * 0.0 + 0.25 * 4.0),
    ],
)
def test_a_height_is_that_of_the_triangle(ground: HeightMap, xy: tuple[float, float], height: float):
    assert ground.height_at(torch.tensor([10.0 + 0.5 * xy[0], -1.0 + 0.5 * xy[1]])) == pytest.approx(height, abs=1e-5)


def test_outside_the_grid_the_edge_goes_on(ground: HeightMap):
    outside = torch.tensor([[0.0, -0.5], [99.0, 99.0], [10.25, -50.0], [math.inf, -math.inf]])
    assert ground.height_at(outside).tolist() == pytest.approx([1.0, 0.0, 1.0, 0.0])


def test_a_robot_that_is_nowhere_has_no_ground_and_breaks_no_index(ground: HeightMap):
    found = ground.height_at(torch.tensor([[math.nan, -0.5], [10.5, math.nan], [10.5, -0.5]]))
    assert found.isnan().tolist() == [True, True, False]


def test_float32_is_good_for_a_tenth_of_a_millimetre_at_50_m():
    generator = torch.Generator().manual_seed(0)
    heights = torch.rand(1001, 1001, generator=generator) * 0.2
    xy = (torch.rand(4000, 2, generator=generator, dtype=torch.float64) - 0.5) * 100.0
    single, double = (HeightMap(heights.to(dtype), 0.1, (-50.0, -50.0)) for dtype in (torch.float32, torch.float64))
    error = (single.height_at(xy.to(torch.float32)) - double.height_at(xy)).abs().max()
    assert 0.0 < error < 1e-4


def test_flat_ground_is_zero_everywhere():
    xy = torch.tensor([[[0.0, 0.0], [-30.0, 7.5]], [[1e6, -1e6], [0.5, 0.5]]])
    assert torch.equal(HeightMap.flat().height_at(xy), torch.zeros(2, 2))


def _turned(yaw: float, pitch: float = 0.0) -> list[float]:
    """Yaw about the world's z, then pitch about the turned y, as w x y z."""
    (cy, sy), (cp, sp) = ((math.cos(a / 2), math.sin(a / 2)) for a in (yaw, pitch))
    return [cy * cp, -sy * sp, cy * sp, sy * cp]


def _slanted() -> HeightMap:
    """z = 0.1 x + 0.02 y around the origin."""
    at = torch.arange(201) * 0.1 - 10.0
    return HeightMap(0.1 * at[:, None] + 0.02 * at[None, :], 0.1, (-10.0, -10.0))


def _scan(yaw: float, pitch: float = 0.0) -> Tensor:
    state = _state([1.0, 2.0, 0.5], _turned(yaw, pitch), _slanted())
    scan = height_scan(state, "trunk", [1.6, 1.0], 0.1)
    assert scan.shape == (1, 187)
    return scan.reshape(17, 11)


@pytest.mark.parametrize("pitch", [0.0, 0.7])
def test_a_scan_runs_from_back_right_to_front_left_with_y_fastest(pitch: float):
    scan = _scan(0.0, pitch)
    below = 0.5 - 0.1 * 1.0 - 0.02 * 2.0
    assert float(scan[8, 5]) == pytest.approx(below, abs=1e-5)
    assert float(scan[0, 0]) == pytest.approx(below + 0.1 * 0.8 + 0.02 * 0.5, abs=1e-5)
    assert float(scan[0, 10]) == pytest.approx(below + 0.1 * 0.8 - 0.02 * 0.5, abs=1e-5)
    assert float(scan[16, 0]) == pytest.approx(below - 0.1 * 0.8 + 0.02 * 0.5, abs=1e-5)


@pytest.mark.parametrize("pitch", [0.0, -0.7])
def test_a_scan_turns_with_the_link(pitch: float):
    scan = _scan(math.pi / 2, pitch)
    below = 0.5 - 0.1 * 1.0 - 0.02 * 2.0
    # Ahead is +y of the world, left is -x.
    assert float(scan[16, 5]) == pytest.approx(below - 0.02 * 0.8, abs=1e-5)
    assert float(scan[8, 10]) == pytest.approx(below + 0.1 * 0.5, abs=1e-5)


def test_a_scan_is_offset_then_clipped():
    state = _state([0.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0], _slanted())
    raw = height_scan(state, "trunk", [1.6, 1.0], 0.1)
    assert torch.equal(height_scan(state, "trunk", [1.6, 1.0], 0.1, offset=0.3), raw - 0.3)
    clipped = height_scan(state, "trunk", [1.6, 1.0], 0.1, offset=0.3, clip=[0.15, 0.25])
    assert torch.equal(clipped, (raw - 0.3).clamp(0.15, 0.25))
    assert (float(clipped.min()), float(clipped.max())) == pytest.approx((0.15, 0.25))


def test_a_state_without_a_terrain_stands_on_flat_ground():
    state = _state([3.0, 4.0, 0.3], [1.0, 0.0, 0.0, 0.0], HeightMap.flat())
    assert height_scan(state, "trunk", [0.2, 0.2], 0.1).tolist() == [pytest.approx([0.3] * 9)]
