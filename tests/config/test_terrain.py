import json
from typing import Any

import pytest
from pydantic import ValidationError

from genelab.config.snapshot import first_problem
from genelab.config.terrain import PyramidStairsCfg, SlopeCfg, TerrainCfg

STAIRS = {"kind": "pyramid_stairs", "step_height": [0.0, 0.1]}
SLOPE = {"kind": "slope", "gradient": [0.0, -0.3]}
ROUGH = {"kind": "random_rough", "amplitude": [0.0, 0.07]}
BLOCKS = {"kind": "discrete_obstacles", "height": [0.0, 0.1]}


def _load(**fields: Any) -> TerrainCfg:
    return TerrainCfg.model_validate_json(json.dumps({"columns": [STAIRS], **fields}), strict=True)


def test_columns_are_told_apart_by_their_kind_and_round_trip():
    cfg = _load(columns=[STAIRS, SLOPE, ROUGH, BLOCKS, {"kind": "flat"}])
    assert [column.kind for column in cfg.columns] == [
        "pyramid_stairs",
        "slope",
        "random_rough",
        "discrete_obstacles",
        "flat",
    ]
    assert cfg.columns[0] == PyramidStairsCfg(step_height=(0.0, 0.1))
    assert TerrainCfg.model_validate_json(cfg.model_dump_json(), strict=True) == cfg


def test_difficulty_runs_from_0_to_1():
    assert [_load(rows=5).difficulty(level) for level in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert _load(rows=1).difficulty(0) == 0.0


def test_a_slope_may_fall_but_not_flatten_or_turn():
    assert SlopeCfg(gradient=(-0.1, -0.3)).gradient == (-0.1, -0.3)
    for gradient in ((0.3, 0.1), (-0.1, 0.3)):
        with pytest.raises(ValidationError, match=r"must keep its sign and not get flatter"):
            SlopeCfg(gradient=gradient)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cell_size": 8.05}, "cell_size = 8.05: must be a multiple of horizontal_scale 0.1"),
        ({"border": 0.04}, "border = 0.04: must be a multiple of horizontal_scale 0.1"),
        (
            {"columns": [{"kind": "moat"}]},
            "columns.0.kind = 'moat': must be one of 'pyramid_stairs', 'discrete_obstacles', 'random_rough', 'slope', "
            "'flat'",
        ),
        ({"columns": [{}]}, "columns.0.kind = '': must be one of 'pyramid_stairs'"),
        # The published stairs of 0.3 m were 0.2 m wide, without a word.
        (
            {"horizontal_scale": 0.2, "cell_size": 8.0, "border": 10.0},
            "columns.0.step_width = 0.3: must be a multiple of horizontal_scale 0.2",
        ),
        (
            {"columns": [SLOPE, STAIRS | {"step_width": 0.05}]},
            "columns.1.step_width = 0.05: must be a multiple of horizontal_scale 0.1",
        ),
        (
            {"columns": [STAIRS | {"step_height": [0.2, 0.1]}]},
            "columns.0.step_height = [0.2, 0.1]: must be [low, high] with low not above high",
        ),
        (
            {"columns": [STAIRS | {"platform": 8.0}]},
            "columns.0.platform = 8.0: must leave a rim of horizontal_scale in a cell of 8.0 m",
        ),
        (
            {"columns": [STAIRS | {"platform": 7.6}]},
            "columns.0.step_width = 0.3: no step fits beside a platform of 7.6 m in a cell of 8.0 m",
        ),
        (
            {"columns": [BLOCKS | {"size": [0.4, 9.0]}]},
            "columns.0.size.1 = 9.0: must leave a rim of horizontal_scale in a cell of 8.0 m",
        ),
        (
            {"columns": [ROUGH | {"spacing": 0.25}]},
            "columns.0.spacing = 0.25: must be a multiple of horizontal_scale 0.1",
        ),
    ],
)
def test_a_wrong_terrain_is_one_line_with_field_value_and_rule(fields: dict[str, Any], told: str):
    with pytest.raises(ValidationError) as error:
        _load(**fields)
    assert first_problem(error.value).startswith(told)
