"""Terrain: heights from a config."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from genelab.config.terrain import (
    SPAWN_M,
    DiscreteObstaclesCfg,
    FlatCfg,
    PyramidStairsCfg,
    RandomRoughCfg,
    SlopeCfg,
    SubTerrainCfg,
    TerrainCfg,
)
from genelab.mdp.terrain import HeightMap
from genelab.rng import Stream

Floats = NDArray[np.float64]
FLOOR_M, FLOOR_DEPTH_M = 100.0, 5.0
"""Width and thickness of the floor beyond the border, m."""


@dataclass(frozen=True)
class Heightfield:
    """A generated terrain."""

    heights: NDArray[np.int32]
    """Heights of the grid points in units of `vertical_scale`; index i along x, j along y. Shape: (nx, ny)."""
    horizontal_scale: float
    """Distance of two grid points, m."""
    vertical_scale: float
    """Unit of the heights, m."""
    corner: tuple[float, float]
    """World x and y of grid point (0, 0), m."""
    cell_centers: Floats
    """Centre of every cell in the world, m; z is the highest point within `SPAWN_M`. Shape: (rows, columns, 3)."""

    @property
    def size(self) -> tuple[float, float]:
        """Extent along x and y, border included, m."""
        nx, ny = self.heights.shape
        return (nx - 1) * self.horizontal_scale, (ny - 1) * self.horizontal_scale

    @property
    def floor(self) -> list[tuple[tuple[float, float, float], tuple[float, float, float]]]:
        """Lower and upper corner of four boxes around the terrain, m, their tops at z = 0.

        Boxes and no plane: a plane would fill every pit of the terrain, and each body would be tried against it.
        """
        (x, y), (length, width) = self.corner, self.size
        areas = (
            ((x - FLOOR_M, y - FLOOR_M), (x, y + width + FLOOR_M)),
            ((x + length, y - FLOOR_M), (x + length + FLOOR_M, y + width + FLOOR_M)),
            ((x, y - FLOOR_M), (x + length, y)),
            ((x, y + width), (x + length, y + width + FLOOR_M)),
        )
        return [((*low, -FLOOR_DEPTH_M), (*high, 0.0)) for low, high in areas]

    def around(self, low: Floats, high: Floats) -> Self:
        """The part of the terrain around a rectangle of the world, m; `low` and `high`: x and y of its corners.

        Grid points stay where they are.
        """
        shape, corner = self.heights.shape, np.array(self.corner)
        first = np.floor((low - corner) / self.horizontal_scale).astype(int).clip(0, np.array(shape) - 2)
        last = np.ceil((high - corner) / self.horizontal_scale).astype(int).clip(first + 1, np.array(shape) - 1)
        x, y = (corner + first * self.horizontal_scale).tolist()
        heights = self.heights[first[0] : last[0] + 1, first[1] : last[1] + 1]
        return replace(self, heights=heights, corner=(x, y))

    def height_map(self, device: torch.device | str) -> HeightMap:
        """The same ground for terms."""
        # In float32 before the product, as the engine does it.
        heights = torch.tensor(self.heights, dtype=torch.float32, device=device) * self.vertical_scale
        return HeightMap(heights, self.horizontal_scale, self.corner)


def generate(cfg: TerrainCfg) -> Heightfield:
    """The terrain of a config. A cell depends on its own config, level and column and on the seed alone."""
    cell, border = cfg.points(cfg.cell_size), cfg.points(cfg.border)
    rows, columns = cfg.rows, len(cfg.columns)
    shape = rows * cell + 1 + 2 * border, columns * cell + 1 + 2 * border
    # Neighbours share the points of their seam, and the higher of the two wins.
    heights = np.full(shape, -np.inf)
    for row in range(rows):
        for column, sub in enumerate(cfg.columns):
            here = heights[_span(border + row * cell, cell), _span(border + column * cell, cell)]
            np.maximum(here, _Cell(cfg, row, column).heights(sub), out=here)
    heights[np.isneginf(heights)] = 0.0
    corner = (-(shape[0] - 1) * cfg.horizontal_scale / 2, -(shape[1] - 1) * cfg.horizontal_scale / 2)
    rounded = np.rint(heights / cfg.vertical_scale).astype(np.int32)
    centers = np.empty((rows, columns, 3))
    reach = math.ceil(SPAWN_M / cfg.horizontal_scale - 1e-6)
    for row, column in np.ndindex(rows, columns):
        # In half intervals, because the centre of a cell with an odd number of them is no grid point.
        i, j = 2 * border + (2 * row + 1) * cell, 2 * border + (2 * column + 1) * cell
        around = rounded[_around(i, reach, shape[0]), _around(j, reach, shape[1])]
        centers[row, column] = (
            corner[0] + i * cfg.horizontal_scale / 2,
            corner[1] + j * cfg.horizontal_scale / 2,
            around.max() * cfg.vertical_scale,
        )
    return Heightfield(rounded, cfg.horizontal_scale, cfg.vertical_scale, corner, centers)


class _Cell:
    """One cell's grid points: indices 0..n along x and y, edges included, n intervals."""

    def __init__(self, cfg: TerrainCfg, row: int, column: int) -> None:
        self._cfg, self._row, self._column = cfg, row, column
        self._difficulty = cfg.difficulty(row)
        self._n = cfg.points(cfg.cell_size)
        along = np.arange(self._n + 1)
        self._from_edge = np.minimum(along, self._n - along)
        """Intervals to the nearer edge, along one axis."""

    def heights(self, sub: SubTerrainCfg) -> Floats:
        """Heights, m. Shape: (n + 1, n + 1)."""
        match sub:
            case PyramidStairsCfg():
                return self._stairs(sub)
            case DiscreteObstaclesCfg():
                return self._obstacles(sub)
            case RandomRoughCfg():
                return self._rough(sub)
            case SlopeCfg():
                return self._incline(sub) if sub.shape == "incline" else self._pyramid(sub)
            case FlatCfg():
                return np.zeros((self._n + 1, self._n + 1))

    def _stairs(self, cfg: PyramidStairsCfg) -> Floats:
        width = self._cfg.points(cfg.step_width)
        steps = np.minimum(self._rings() // width, self._beside(cfg.platform) // width)
        # Rounded before it is multiplied: rounded after, steps of one flight would differ.
        units = round(self._at(cfg.step_height) / self._cfg.vertical_scale)
        return steps * (units * self._cfg.vertical_scale * (-1.0 if cfg.inverted else 1.0))

    def _pyramid(self, cfg: SlopeCfg) -> Floats:
        run = np.minimum(self._rings(), self._beside(cfg.platform))
        return run * (self._at(cfg.gradient) * self._cfg.horizontal_scale)

    def _incline(self, cfg: SlopeCfg) -> Floats:
        along, beside = np.arange(self._n + 1), self._beside(cfg.platform)
        run = np.minimum(along, beside) + np.maximum(along - (self._n - beside), 0)
        rise = run * (self._at(cfg.gradient) * self._cfg.horizontal_scale)
        return np.repeat(rise[:, None], self._n + 1, axis=1)

    def _obstacles(self, cfg: DiscreteObstaclesCfg) -> Floats:
        heights = np.zeros((self._n + 1, self._n + 1))
        smallest, largest = (self._cfg.points(size) for size in cfg.size)
        values = self._at(cfg.height) * np.array([-1.0, -0.5, 0.5, 1.0])
        for block in self._draws(5 * cfg.count).reshape(cfg.count, 5):
            sides = smallest + np.floor(block[:2] * (largest - smallest + 1)).astype(int)
            # As many points as the side has intervals, so that the block is as wide at half its height; never an edge.
            start = 1 + np.floor(block[2:4] * (self._n - sides)).astype(int)
            heights[_span(start[0], sides[0] - 1), _span(start[1], sides[1] - 1)] = values[int(4 * block[4])]
        return np.where(self._from_platform(cfg.platform) > 0, heights, 0.0)

    def _rough(self, cfg: RandomRoughCfg) -> Floats:
        spacing, amplitude = self._cfg.points(cfg.spacing), self._at(cfg.amplitude)
        # Values with the step between them, as many as fit, symmetric about 0.
        steps = int(2 * amplitude / cfg.step + 1e-6)
        count = -(-self._n // spacing) + 1
        draws = np.floor(self._draws(count * count) * (steps + 1)).reshape(count, count)
        coarse = (draws - steps / 2) * cfg.step
        along, at = np.arange(self._n + 1), np.arange(count) * spacing
        fine = np.array([np.interp(along, at, line) for line in coarse])
        fine = np.array([np.interp(along, at, line) for line in fine.T]).T
        # Fades out over one spacing towards the edge and the platform.
        fade = np.minimum(self._rings(), self._from_platform(cfg.platform)) / spacing
        return fine * np.minimum(fade, 1.0)

    def _at(self, bounds: tuple[float, float]) -> float:
        return bounds[0] + (bounds[1] - bounds[0]) * self._difficulty

    def _rings(self) -> NDArray[np.int64]:
        """Intervals to the nearest edge of the cell."""
        return np.minimum(self._from_edge[:, None], self._from_edge[None, :])

    def _beside(self, platform: float) -> int:
        """Intervals between edge and platform."""
        return (self._n - self._cfg.points(platform)) // 2

    def _from_platform(self, platform: float) -> NDArray[np.int64]:
        """Intervals to the platform, 0 on it."""
        return np.maximum(self._beside(platform) - self._rings(), 0)

    def _draws(self, count: int) -> Floats:
        # Not numpy's generators: their streams may change between versions, and with them the task.
        row, column = torch.tensor([self._row]), torch.tensor([self._column])
        return Stream.of(self._cfg.seed, "terrain").uniform(row, column, count)[0].numpy().astype(np.float64)


def _span(start: int, length: int) -> slice:
    """Points from `start` on over `length` intervals."""
    return slice(start, start + length + 1)


def _around(half: int, reach: int, count: int) -> slice:
    """Points that span `reach` intervals on both sides of a place given in half intervals, cut to the grid."""
    return slice(max(half // 2 - reach, 0), min(-(-half // 2) + reach, count - 1) + 1)
