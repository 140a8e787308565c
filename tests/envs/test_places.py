"""Where episodes start on a terrain, without a simulator."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.terrain import FlatCfg, TerrainCfg, TerrainCurriculumCfg
from genelab.envs.places import Places
from genelab.registry import get_task

ROWS, COLUMNS, N = 3, 2, 4
CENTERS = torch.stack(
    [
        *torch.meshgrid(torch.tensor([-8.0, 0.0, 8.0]), torch.tensor([-4.0, 4.0]), indexing="ij"),
        torch.tensor([[0.0, 0.0], [0.1, -0.1], [0.2, -0.2]]),
    ],
    dim=2,
)
ALL = torch.ones(N, dtype=torch.bool)
NUMBERS = torch.arange(N)


def _env_cfg(curriculum: TerrainCurriculumCfg | None) -> EnvCfg:
    env = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
    terrain = TerrainCfg(rows=ROWS, columns=(FlatCfg(),) * COLUMNS)
    return EnvCfg(**env.model_dump(), terrain=terrain, curriculum=curriculum)


def _places(curriculum: TerrainCurriculumCfg | None, *, by_episode: bool = False) -> Places:
    return Places(_env_cfg(curriculum), CENTERS, N, torch.device("cpu"), by_episode=by_episode)


def _draw(value: float) -> Any:
    return lambda _stream, dim: torch.full((N, dim), value)


def _state(places: Places, away_m: list[float], speed: float) -> Any:
    pos = places.origin_w + torch.tensor([[x, 0.0, 0.3] for x in away_m])
    return SimpleNamespace(
        floating=SimpleNamespace(pos_w=pos), commands={"velocity": torch.tensor([[speed, 0.0, 9.0]] * N)}
    )


def test_an_episode_of_an_evaluation_stands_where_its_number_says():
    places = _places(TerrainCurriculumCfg(command="velocity"), by_episode=True)
    places.start(ALL, torch.tensor([0, 1, 2, 3]), _draw(0.9))
    assert places.level.tolist() == [0, 1, 2, 0]
    assert places.memory["column"].tolist() == [0, 0, 0, 1]
    # Whatever happened in the episodes before.
    places.advance(_state(places, [9.0] * N, 1.0))
    places.start(torch.tensor([True, False, False, True]), torch.tensor([5, 1, 2, 6]), _draw(0.1))
    assert places.level.tolist() == [2, 1, 2, 0]
    assert places.memory["column"].tolist() == [1, 0, 0, 0]
    assert torch.equal(places.origin_w[0], CENTERS[2, 1])
    assert torch.equal(places.origin_w[1], CENTERS[1, 0])


def test_every_cell_is_stood_in_once_before_one_is_again():
    found: set[tuple[int, int]] = set()
    for first in range(0, ROWS * COLUMNS, 2):
        places = _places(None, by_episode=True)
        places.start(ALL, first + NUMBERS, _draw(0.0))
        found |= set(zip(places.level[:2].tolist(), places.memory["column"][:2].tolist(), strict=True))
    assert len(found) == ROWS * COLUMNS


def test_a_training_begins_on_the_easy_levels_and_keeps_its_columns():
    places = _places(TerrainCurriculumCfg(command="velocity", max_start_level=1))
    places.start(ALL, NUMBERS, lambda _stream, dim: torch.tensor([0.0, 0.4, 0.6, 0.999]).repeat(dim, 1).T)
    assert places.level.tolist() == [0, 0, 1, 1]
    assert places.memory["column"].tolist() == [0, 0, 1, 1]
    places.start(ALL, NUMBERS, _draw(0.999))
    assert places.memory["column"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("steps", "away", "level"), [(1, 4.1, 2), (500, 4.1, 2), (500, 2.0, 0), (100, 2.0, 1)])
def test_levels_follow_what_was_walked_of_what_was_asked(steps: int, away: float, level: int):
    places = _places(TerrainCurriculumCfg(command="velocity", max_start_level=1))
    places.start(ALL, NUMBERS, _draw(0.999))
    for _ in range(steps):
        # 0.5 m/s for 0.02 s a step: 5 m in 500 steps, 1 m in 100. The turn is no way.
        places.advance(_state(places, [away] * N, 0.5))
    places.start(torch.tensor([True, False, False, False]), NUMBERS, _draw(0.0))
    assert places.level.tolist() == [level, 1, 1, 1]
    # What was walked counts once.
    assert places.memory["walked_m"].tolist() == pytest.approx([0.0, away, away, away])
    assert places.memory["commanded_m"][0] == 0.0
    places.start(torch.tensor([True, False, False, False]), NUMBERS, _draw(0.0))
    assert places.level[0] == level


def test_without_a_curriculum_every_level_is_drawn():
    places = _places(None)
    for value, level in ((0.0, 0), (0.5, 1), (0.999, 2)):
        places.start(ALL, NUMBERS, _draw(value))
        assert places.level.tolist() == [level] * N


def test_what_it_remembers_is_all_it_needs():
    places, other = (_places(TerrainCurriculumCfg(command="velocity")) for _ in range(2))
    places.start(ALL, NUMBERS, _draw(0.7))
    for _ in range(3):
        places.advance(_state(places, [5.0, 0.0, 5.0, 0.0], 1.0))
    saved: dict[str, Tensor] = {name: value.clone() for name, value in places.memory.items()}
    other.memory.update(saved)
    for each in (places, other):
        each.start(ALL, NUMBERS, _draw(0.2))
    assert places.level.tolist() == [1, 0, 1, 0]
    assert all(torch.equal(value, other.memory[name]) for name, value in places.memory.items())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ground": None}, "ground"),
        ({"terrain": None}, "curriculum"),
        ({"curriculum": {"command": "speed"}}, "curriculum.command"),
        ({"curriculum": {"command": "velocity", "max_start_level": 3}}, "must be one of the levels 0 to 2"),
    ],
)
def test_a_wrong_config_names_the_field(changes: dict[str, Any], told: str):
    good = _env_cfg(TerrainCurriculumCfg(command="velocity")).model_dump()
    with pytest.raises(ValueError, match=told):
        EnvCfg(**(good | changes))
