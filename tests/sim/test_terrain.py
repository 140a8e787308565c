from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genelab.config.terrain import (
    DiscreteObstaclesCfg,
    FlatCfg,
    PyramidStairsCfg,
    RandomRoughCfg,
    SlopeCfg,
    SubTerrainCfg,
    TerrainCfg,
)
from genelab.mdp.terrain import HeightMap
from genelab.sim.genesis.terrain import add_terrain
from genelab.sim.session import Session
from genelab.sim.terrain import Heightfield, generate

STAIRS = PyramidStairsCfg(step_height=(0.03, 0.13))
PIT = PyramidStairsCfg(step_height=(0.03, 0.13), inverted=True)
BLOCKS = DiscreteObstaclesCfg(height=(0.03, 0.11))
ROUGH = RandomRoughCfg(amplitude=(0.02, 0.07))
HILL, HOLE = SlopeCfg(gradient=(0.0, 0.3)), SlopeCfg(gradient=(0.0, -0.3))
INCLINE = SlopeCfg(gradient=(0.0, 0.3), shape="incline")
CLOSED = (STAIRS, PIT, BLOCKS, ROUGH, HILL, HOLE, FlatCfg())


def _cell(sub: SubTerrainCfg, level: int, rows: int = 10) -> np.ndarray:
    """Heights of a cell of 8 m, m. Shape: (81, 81)."""
    field = generate(TerrainCfg(rows=rows, columns=(sub,), border=1.0))
    return field.heights[10 + 80 * level :, 10:][:81, :81] * field.vertical_scale


def test_the_map_is_centred_and_its_border_is_flat():
    cfg = TerrainCfg(rows=3, columns=CLOSED, border=2.0)
    field = generate(cfg)
    assert field.heights.shape == (3 * 80 + 40 + 1, 7 * 80 + 40 + 1)
    assert field.size == pytest.approx((28.0, 60.0))
    assert field.corner == pytest.approx((-14.0, -30.0))
    inner = np.zeros(field.heights.shape, bool)
    inner[20:-20, 20:-20] = True
    assert not field.heights[~inner].any()
    assert field.heights[inner].any()
    assert field.cell_centers[0, 0, :2] == pytest.approx([-8.0, -24.0])
    assert field.cell_centers[2, 6, :2] == pytest.approx([8.0, 24.0])


def test_a_cell_is_drawn_by_seed_row_and_column_alone():
    cfg = TerrainCfg(rows=2, columns=(ROUGH, BLOCKS, BLOCKS), border=1.0)
    field = generate(cfg)
    assert np.array_equal(generate(cfg).heights, field.heights)
    wider = generate(cfg.model_copy(update={"columns": (FlatCfg(), BLOCKS, BLOCKS, ROUGH)}))
    assert np.array_equal(wider.heights[:, 91:251], field.heights[:, 91:251])
    assert not np.array_equal(field.heights[10:91, 90:171], field.heights[10:91, 170:251])
    assert not np.array_equal(generate(cfg.model_copy(update={"seed": 1})).heights, field.heights)


@pytest.mark.parametrize("sub", CLOSED)
@pytest.mark.parametrize("level", [0, 9])
def test_cells_meet_at_height_zero(sub: SubTerrainCfg, level: int):
    cell = _cell(sub, level)
    for edge in (cell[0], cell[-1], cell[:, 0], cell[:, -1]):
        assert not edge.any()


@pytest.mark.parametrize(("sub", "sign"), [(STAIRS, 1.0), (PIT, -1.0)])
@pytest.mark.parametrize(("level", "height"), [(0, 0.03), (9, 0.13)])
def test_steps_are_as_wide_and_high_as_configured(sub: SubTerrainCfg, sign: float, level: int, height: float):
    line = _cell(sub, level)[:, 40]
    risers = np.flatnonzero(np.diff(line))
    up, down = risers[: len(risers) // 2], risers[len(risers) // 2 :]
    # 8 m hold a platform of 1 m and 11 steps of 0.3 m a side; what is left over widens the platform to 1.4 m.
    assert (len(up), len(down)) == (11, 11)
    assert (np.diff(up).tolist(), np.diff(down).tolist()) == ([3] * 10, [3] * 10)
    assert (down[0] - up[-1] - 1) * 0.1 == pytest.approx(1.4)
    assert np.diff(line)[up] == pytest.approx([sign * height] * 11)
    assert np.diff(line)[down] == pytest.approx([-sign * height] * 11)


def test_all_steps_of_a_flight_are_equal_where_the_height_is_no_multiple_of_the_vertical_scale():
    line = _cell(STAIRS, 1)[:, 40]  # 0.0411 m
    assert np.diff(line)[np.flatnonzero(np.diff(line))[:11]] == pytest.approx([0.04] * 11)


@pytest.mark.parametrize(
    ("sub", "first", "last"),
    [
        (STAIRS, (0.0, 0.33), (0.0, 1.43)),
        (PIT, (-0.33, 0.0), (-1.43, 0.0)),
        (BLOCKS, (-0.03, 0.03), (-0.11, 0.11)),
        (ROUGH, (-0.02, 0.02), (-0.07, 0.07)),
        (HILL, (0.0, 0.0), (0.0, 1.05)),
        (HOLE, (0.0, 0.0), (-1.05, 0.0)),
        (FlatCfg(), (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_heights_grow_from_level_0_to_the_last(
    sub: SubTerrainCfg, first: tuple[float, float], last: tuple[float, float]
):
    for level, (low, high) in ((0, first), (9, last)):
        cell = _cell(sub, level)
        assert (cell.min(), cell.max()) == pytest.approx((low, high), abs=0.0026)


def test_an_incline_ends_in_cliffs_and_the_higher_cell_has_the_seam():
    field = generate(TerrainCfg(rows=3, columns=(INCLINE, FlatCfg()), border=1.0))
    heights = field.heights * field.vertical_scale
    # Levels rise by 0, 0.15 and 0.3 over 3.5 m on both sides of the platform.
    assert heights[[89, 90, 91, 169, 170, 171], 50] == pytest.approx([0, 0, 0.015, 1.035, 1.05, 0.03], abs=0.0026)
    assert heights[250:252, 50] == pytest.approx([2.1, 0.0])
    assert heights[210, [9, 10, 90, 91]] == pytest.approx([0.0, 1.05, 1.05, 0.0])


def test_ranges_from_0_make_level_0_flat():
    columns = (
        PyramidStairsCfg(step_height=(0.0, 0.1)),
        DiscreteObstaclesCfg(height=(0.0, 0.1)),
        RandomRoughCfg(amplitude=(0.0, 0.1)),
        SlopeCfg(gradient=(0.0, 0.3)),
    )
    field = generate(TerrainCfg(rows=2, columns=columns))
    assert not field.heights[:181].any()


@pytest.mark.parametrize("sub", [*CLOSED, INCLINE])
@pytest.mark.parametrize("cell_size", [8.0, 7.9])
def test_the_platform_is_flat_and_the_centre_stands_on_it(sub: SubTerrainCfg, cell_size: float):
    field = generate(TerrainCfg(rows=2, columns=(sub,), cell_size=cell_size))
    for row in range(2):
        x, y, z = field.cell_centers[row, 0]
        i, j = ((at - corner) / 0.1 for at, corner in zip((x, y), field.corner, strict=True))
        platform = field.heights[_within(i, 5), _within(j, 5)] * field.vertical_scale
        assert platform.shape == ((11, 11) if cell_size == 8.0 else (10, 10))
        assert np.ptp(platform) == 0.0
        assert z == pytest.approx(platform[0, 0])


def test_a_centre_without_a_platform_is_as_high_as_what_stands_around_it():
    sub = RandomRoughCfg(amplitude=(0.07, 0.07), platform=0.1)
    field = generate(TerrainCfg(rows=1, columns=(sub,)))
    around = field.heights[135:146, 135:146] * field.vertical_scale
    assert np.ptp(around) > 0.05
    assert field.cell_centers[0, 0, 2] == pytest.approx(around.max())


@pytest.mark.slow
def test_blocks_are_as_long_as_configured_and_take_all_heights():
    sub = DiscreteObstaclesCfg(height=(0.1, 0.1), size=(0.4, 0.4), count=1)
    cells = [_cell(sub, level, rows=40) for level in range(40)]
    alone = [cell for cell in cells if cell.any()]  # some stand on the platform and are cleared
    assert {round(float(cell[cell != 0][0]), 3) for cell in alone} == {-0.1, -0.05, 0.05, 0.1}
    # 4 points with half a ramp of 0.1 m on both sides.
    assert {(cell != 0).any(axis=0).sum() for cell in alone} >= {4}
    assert max((cell != 0).sum() for cell in alone) == 16


def test_rough_ground_is_drawn_at_the_spacing_in_steps():
    cell = _cell(ROUGH, 9)
    # Away from the rim and the platform, where it fades.
    drawn = {round(float(height), 3) for height in cell[2:30:2, 2:30:2].flat}
    assert drawn == {-0.07, -0.05, -0.03, -0.01, 0.01, 0.03, 0.05, 0.07}
    assert cell[3, 2:30:2] == pytest.approx((cell[2, 2:30:2] + cell[4, 2:30:2]) / 2, abs=0.0026)


def _marked(test: Any) -> Any:
    """The marks of a test that builds a scene. The others of this file need none."""
    return pytest.mark.sim(pytest.mark.xdist_group("sim")(test))


RADIUS, NUM_ENVS = 0.01, 128


@dataclass(frozen=True)
class Scene:
    """2 x 3 cells of 4 m with a border of 1 m, and a small ball in each environment."""

    field: Heightfield
    map: HeightMap
    scene: Any
    terrain: Any
    ball: Any

    def contacts(self, pos_w: Tensor) -> Tensor:
        """Whether balls at rest touch something. Shapes: (NUM_ENVS, 3) -> (NUM_ENVS,)."""
        self.scene.reset()
        self.ball.set_pos(pos_w)
        self.scene.step()
        # Free fall is the only motion that no contact changes.
        return (self.ball.get_vel()[:, 2] + 9.81 * 0.005).abs() > 1e-4

    def rest(self, xy_w: Tensor, velocity: Tensor | None = None, steps: int = 200) -> Tensor:
        """Positions of balls dropped from 2 cm above the ground. Shapes: (NUM_ENVS, 2) -> (NUM_ENVS, 3)."""
        self.scene.reset()
        z = self.map.height_at(xy_w)[:, None] + RADIUS + 0.02
        self.ball.set_pos(torch.cat([xy_w, z], dim=1))
        if velocity is not None:
            self.ball.set_dofs_velocity(velocity)
        for _ in range(steps):
            self.scene.step()
        return self.ball.get_pos()


@pytest.fixture(scope="module")
def scene(sim_session: Session) -> Scene:
    import genesis as gs

    columns = (
        PyramidStairsCfg(step_height=(0.05, 0.1), inverted=True),
        RandomRoughCfg(amplitude=(0.04, 0.08)),
        SlopeCfg(gradient=(0.1, 0.3)),
    )
    field = generate(TerrainCfg(rows=2, border=1.0, cell_size=4.0, columns=columns))
    scene = gs.Scene(sim_options=gs.options.SimOptions(dt=0.005), show_viewer=False)
    terrain, *_ = add_terrain(scene, field, 1.0)
    ball = scene.add_entity(gs.morphs.Sphere(radius=RADIUS, pos=(0.0, 0.0, 5.0)))
    scene.build(n_envs=NUM_ENVS)
    return Scene(field, field.height_map(sim_session.device), scene, terrain, ball)


def _everywhere(count: int, size: tuple[float, float]) -> Tensor:
    return (torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) - 0.5) * torch.tensor(size)


@_marked
def test_heights_are_those_of_genesis(scene: Scene):
    xy = _everywhere(20000, scene.field.size)
    assert torch.equal(scene.terrain.get_terrain_height(xy)[0], scene.map.height_at(xy))


@_marked
def test_a_ball_touches_where_the_height_says(scene: Scene):
    """Half a millimetre above or below the plane of a triangle decides, on all kinds of terrain and on both halves."""
    generator = torch.Generator().manual_seed(1)
    nx, ny = scene.field.heights.shape
    i, j = (torch.randint(0, count - 1, (NUM_ENVS,), generator=generator) for count in (nx, ny))
    third = torch.where(torch.arange(NUM_ENVS) % 2 == 0, 1 / 3, 2 / 3)
    xy = torch.stack([i + third, j + third], dim=1) * 0.1 + torch.tensor(scene.field.corner)
    east, north = torch.tensor([1e-3, 0.0]), torch.tensor([0.0, 1e-3])
    slope = [(scene.map.height_at(xy + d) - scene.map.height_at(xy - d)) / 2e-3 for d in (east, north)]
    normal = torch.nn.functional.normalize(torch.stack([-slope[0], -slope[1], torch.ones(NUM_ENVS)], dim=1), dim=1)
    ground = torch.cat([xy, scene.map.height_at(xy)[:, None]], dim=1)
    assert scene.contacts(ground + (RADIUS - 0.0005) * normal).all()
    assert not scene.contacts(ground + (RADIUS + 0.0005) * normal).any()


@_marked
def test_balls_rest_on_platforms_treads_border_and_floor(scene: Scene):
    # Bottoms of the pits and a first tread, their seam and rim, a hill's platform and the border; then the floor near,
    # far and at the corner, and the joint between border and floor.
    flat = [
        *[(-2.0, -4.0), (2.0, -4.3), (2.0, -2.4), (0.0, -4.0), (0.1, -5.9), (2.0, 4.3), (-4.6, 0.0), (0.0, 6.9)],
        *[(-5.1, 0.3), (5.3, -6.0), (0.0, -7.3), (1.0, 60.0), (-5.4, 7.4), (-80.0, -90.0), (5.0, 0.05), (0.05, -7.0)],
    ]
    xy = torch.tensor(flat).repeat(NUM_ENVS // len(flat), 1)
    pos = scene.rest(xy)
    assert (pos[:, 2] - RADIUS - scene.map.height_at(xy)).abs().max() < 0.001
    assert (pos[:, :2] - xy).abs().max() < 0.001
    assert scene.map.height_at(xy)[:6].tolist() == pytest.approx([-0.25, -0.5, -0.1, 0.0, 0.0, 0.45])
    assert not scene.map.height_at(xy)[6:16].any()


@_marked
def test_a_ball_rolls_off_the_map_and_finds_the_floor(scene: Scene):
    x = torch.linspace(-4.9, 4.9, NUM_ENVS)
    xy = torch.stack([x, torch.full_like(x, 6.9)], dim=1)
    velocity = torch.zeros(NUM_ENVS, 6)
    velocity[:, 1] = 1.0
    pos = scene.rest(xy, velocity)
    assert (pos[:, 1] > 7.2).all()
    assert (pos[:, 2] - RADIUS).abs().max() < 0.001


def _within(middle: float, reach: int) -> slice:
    return slice(int(np.ceil(middle - reach - 1e-6)), int(middle + reach + 1e-6) + 1)
