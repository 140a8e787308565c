"""A grid of terrain cells: levels of rising difficulty along x, kinds of terrain along y."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from genelab.config.base import TAG, Cfg, Seed, broken_rule, low_to_high, one_of

STAIRS, OBSTACLES, ROUGH, SLOPE, FLAT = "pyramid_stairs", "discrete_obstacles", "random_rough", "slope", "flat"

SPAWN_M = 0.5
"""Half the side of the square around a cell's centre in which robots may start, m: its highest point is the height of
that centre."""

Range = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(low_to_high)]
"""A quantity at level 0 and at the last level, linear in between."""

Sizes = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(low_to_high)]
"""Smallest and largest size."""


class _Shaped(Cfg):
    """What every kind but the flat one has."""

    platform: PositiveFloat = 1.0
    """Side of the flat square in the middle of the cell, m; larger by what the grid and the steps leave over."""

    def lengths(self) -> dict[str, float]:
        """Horizontal lengths by field, m. Each must fit the grid."""
        return {"platform": self.platform}


class PyramidStairsCfg(_Shaped):
    """Square rings of steps around a platform."""

    kind: Literal["pyramid_stairs"] = STAIRS
    """Which of the sub-terrains it is."""
    step_width: PositiveFloat = 0.3
    """Tread of a step, m."""
    step_height: Range
    """Riser at level 0 and at the last level, m."""
    inverted: bool = False
    """Whether the platform is the bottom of a pit. A robot that starts on it walks up; else it walks down."""

    def lengths(self) -> dict[str, float]:
        """Horizontal lengths by field, m. Each must fit the grid."""
        return {"step_width": self.step_width, "platform": self.platform}


class DiscreteObstaclesCfg(_Shaped):
    """Rectangular blocks and pits at random places, of full or half height."""

    kind: Literal["discrete_obstacles"] = OBSTACLES
    """Which of the sub-terrains it is."""
    height: Range
    """Largest height and depth at level 0 and at the last level, m."""
    size: Sizes = (0.4, 1.0)
    """Smallest and largest side, m."""
    count: PositiveInt = 20
    """Blocks and pits in a cell. A later one replaces what it covers."""

    def lengths(self) -> dict[str, float]:
        """Horizontal lengths by field, m. Each must fit the grid."""
        return {"size.0": self.size[0], "size.1": self.size[1], "platform": self.platform}


class RandomRoughCfg(_Shaped):
    """Random heights at the points of a coarse grid, linear in between."""

    kind: Literal["random_rough"] = ROUGH
    """Which of the sub-terrains it is."""
    amplitude: Range
    """Largest height and depth at level 0 and at the last level, m."""
    step: PositiveFloat = 0.02
    """Difference between two neighbouring values that a height may take, m."""
    spacing: PositiveFloat = 0.2
    """Distance of the points that get a height, m."""

    def lengths(self) -> dict[str, float]:
        """Horizontal lengths by field, m. Each must fit the grid."""
        return {"spacing": self.spacing, "platform": self.platform}


class SlopeCfg(_Shaped):
    """A slope with a platform in the middle."""

    kind: Literal["slope"] = SLOPE
    """Which of the sub-terrains it is."""
    gradient: tuple[float, float]
    """Rise per run at level 0 and at the last level: up towards the platform, or up along +x; negative: down."""
    shape: Literal["pyramid", "incline"] = "pyramid"
    """Four sides that meet the neighbours at height 0, or one incline along x, which ends in cliffs."""

    @model_validator(mode="after")
    def _gradient_does_not_flatten(self) -> Self:
        first, last = self.gradient
        if first * last < 0.0 or abs(first) > abs(last):
            raise broken_rule("gradient", self.gradient, "must keep its sign and not get flatter")
        return self


class FlatCfg(Cfg):
    """A cell at height 0."""

    kind: Literal["flat"] = FLAT
    """Which of the sub-terrains it is."""

    def lengths(self) -> dict[str, float]:
        """Horizontal lengths by field, m. Each must fit the grid."""
        return {}


SubTerrainCfg = Annotated[
    Annotated[PyramidStairsCfg, Tag(f"{TAG}{STAIRS}")]
    | Annotated[DiscreteObstaclesCfg, Tag(f"{TAG}{OBSTACLES}")]
    | Annotated[RandomRoughCfg, Tag(f"{TAG}{ROUGH}")]
    | Annotated[SlopeCfg, Tag(f"{TAG}{SLOPE}")]
    | Annotated[FlatCfg, Tag(f"{TAG}{FLAT}")],
    one_of("kind"),
]


class TerrainCfg(Cfg):
    """Square cells in a grid that is centred on x = y = 0, inside a flat border at z = 0.

    Row: level of difficulty, rising along x. Column: kind of terrain, along y. A level is flat if the ranges of its
    columns begin at 0.
    """

    rows: PositiveInt = 10
    """Levels."""
    columns: tuple[SubTerrainCfg, ...] = Field(min_length=1)
    """One kind of terrain per column."""
    cell_size: PositiveFloat = 8.0
    """Side of a cell, m."""
    border: PositiveFloat = 10.0
    """Width of the flat rim around the outer cells, m. A flat floor goes on beyond it."""
    horizontal_scale: PositiveFloat = 0.1
    """Distance of two grid points, m. Every horizontal length is a multiple of it."""
    vertical_scale: PositiveFloat = 0.005
    """Unit that heights are rounded to, m."""
    seed: Seed = 0
    """Seed of the random cells. It belongs to the task: every training and evaluation sees the same terrain."""

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        for field, value in self._lengths():
            if self.points(value) < 1 or abs(value / self.horizontal_scale - self.points(value)) > 1e-6:
                raise broken_rule(field, value, f"must be a multiple of horizontal_scale {self.horizontal_scale}")
        for number, column in enumerate(self.columns):
            for field, value in column.lengths().items():
                # The edge of a cell is its neighbour's too, so what stands in the middle must end before it.
                if self.points(value) + 2 > self.points(self.cell_size):
                    rule = f"must leave a rim of horizontal_scale in a cell of {self.cell_size} m"
                    raise broken_rule(f"columns.{number}.{field}", value, rule)
            if isinstance(column, PyramidStairsCfg):
                self._check_a_step_fits(f"columns.{number}.step_width", column)
        return self

    def _check_a_step_fits(self, field: str, stairs: PyramidStairsCfg) -> None:
        if 2 * self.points(stairs.step_width) + self.points(stairs.platform) > self.points(self.cell_size):
            rule = f"no step fits beside a platform of {stairs.platform} m in a cell of {self.cell_size} m"
            raise broken_rule(field, stairs.step_width, rule)

    def _lengths(self) -> Iterator[tuple[str, float]]:
        yield from (("cell_size", self.cell_size), ("border", self.border))
        for number, column in enumerate(self.columns):
            yield from ((f"columns.{number}.{field}", value) for field, value in column.lengths().items())

    def points(self, length: float) -> int:
        """Grid intervals in a length in m."""
        return round(length / self.horizontal_scale)

    def difficulty(self, level: int) -> float:
        """Difficulty of a level: 0 at the first, 1 at the last. The only level there is has 0."""
        return level / (self.rows - 1) if self.rows > 1 else 0.0
