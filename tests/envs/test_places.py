"""Where episodes start on a terrain, without a simulator."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec
from genelab.config.terrain import FlatCfg, TerrainCfg
from genelab.envs.parts.places import Places
from genelab.envs.terms import check_terms
from genelab.errors import InputError
from genelab.families.velocity.curriculum import by_the_way_made
from genelab.registry import get_task
from tests.envs.world import constant, world

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


def _env_cfg() -> EnvCfg:
    env = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
    terrain = TerrainCfg(rows=ROWS, columns=(FlatCfg(),) * COLUMNS)
    return EnvCfg(**env.model_dump(exclude={"terrain"}), terrain=terrain)


class _Placed(Places):
    """Starts with numbers and draws that the test gives."""

    def begin_there(self, mask: Tensor, number: Tensor, draw: Any) -> None:
        self._world.episode_number, self._world.draw = number, draw
        for part in (self, self._curriculum):
            if part is not None:
                part.start(mask)

    def account(self, state: Any, broken: Tensor) -> None:
        if self._curriculum is not None:
            self._curriculum.account(state, broken)

    @property
    def way(self) -> dict[str, Tensor]:
        assert self._curriculum is not None
        return self._curriculum.memory

    @property
    def level(self) -> Tensor:
        return self.memory["level"]

    @property
    def origin_w(self) -> Tensor:
        return self.view(SimpleNamespace()).origin_w  # type: ignore[arg-type]


def _places(max_start_level: int | None, *, by_episode: bool = False) -> _Placed:
    """With a curriculum if there is a hardest level of the first episodes."""
    around = world(_env_cfg(), N, numbered=by_episode)
    curriculum = None if max_start_level is None else by_the_way_made(around, "velocity", max_start_level)
    return _Placed(CENTERS, around, curriculum)


def _draw(value: float) -> Any:
    return constant(N, value)


def _state(places: _Placed, away_m: list[float], asked: float, made: float = 0.0) -> Any:
    """Robots so far from their cells' centres, asked to go sideways and turn, and going so fast there and ahead."""
    pos = places.origin_w + torch.tensor([[x, 0.0, 0.3] for x in away_m])
    velocity = torch.tensor([[0.7, made, 0.0]] * N)
    return SimpleNamespace(
        floating=SimpleNamespace(pos_w=pos, lin_vel_b=velocity, origin_w=places.origin_w),
        commands={"velocity": torch.tensor([[0.0, asked, 9.0]] * N)},
    )


NOWHERE = torch.zeros(N, dtype=torch.bool)


def test_an_episode_of_an_evaluation_stands_where_its_number_says():
    places = _places(None, by_episode=True)
    places.begin_there(ALL, torch.tensor([0, 1, 2, 3]), _draw(0.9))
    assert places.level.tolist() == [0, 1, 2, 0]
    assert places.memory["column"].tolist() == [0, 0, 0, 1]
    # Whatever happened in the episodes before.
    places.account(_state(places, [9.0] * N, 1.0), NOWHERE)
    places.begin_there(torch.tensor([True, False, False, True]), torch.tensor([5, 1, 2, 6]), _draw(0.1))
    assert places.level.tolist() == [2, 1, 2, 0]
    assert places.memory["column"].tolist() == [1, 0, 0, 0]
    assert torch.equal(places.origin_w[0], CENTERS[2, 1])
    assert torch.equal(places.origin_w[1], CENTERS[1, 0])


def test_every_cell_is_stood_in_once_before_one_is_again():
    found: set[tuple[int, int]] = set()
    for first in range(0, ROWS * COLUMNS, 2):
        places = _places(None, by_episode=True)
        places.begin_there(ALL, first + NUMBERS, _draw(0.0))
        found |= set(zip(places.level[:2].tolist(), places.memory["column"][:2].tolist(), strict=True))
    assert len(found) == ROWS * COLUMNS


def test_a_training_begins_on_the_easy_levels_and_keeps_its_columns():
    places = _places(1)
    places.begin_there(ALL, NUMBERS, lambda _stream, dim: torch.tensor([0.0, 0.4, 0.6, 0.999]).repeat(dim, 1).T)
    assert places.level.tolist() == [0, 0, 1, 1]
    assert places.memory["column"].tolist() == [0, 0, 1, 1]
    places.begin_there(ALL, NUMBERS, _draw(0.999))
    assert places.memory["column"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("made", "away", "level"), [(0.0, 4.1, 2), (0.24, 4.1, 2), (0.24, 3.9, 0), (0.26, 0.1, 1), (-0.5, 3.9, 0)]
)
def test_levels_follow_the_way_made_of_the_way_asked_for(made: float, away: float, level: int):
    places = _places(1)
    places.begin_there(ALL, NUMBERS, _draw(0.999))
    for _ in range(100):
        # Half of 0.5 m/s is 0.25 m/s. What goes ahead, and the turn, is no way asked for.
        places.account(_state(places, [away] * N, 0.5, made), NOWHERE)
    assert places.way["way_m"].tolist() == pytest.approx([100 * 0.02 * made] * N, abs=1e-5)
    places.begin_there(torch.tensor([True, False, False, False]), NUMBERS, _draw(0.0))
    assert places.level.tolist() == [level, 1, 1, 1]
    # What was walked counts once.
    assert places.way["away_m"].tolist() == pytest.approx([0.0, away, away, away])
    assert places.way["commanded_m"].tolist() == pytest.approx([0.0, 1.0, 1.0, 1.0])
    places.begin_there(torch.tensor([True, False, False, False]), NUMBERS, _draw(0.0))
    assert places.level[0] == level


def test_what_broke_has_gone_nowhere():
    places = _places(1)
    places.begin_there(ALL, NUMBERS, _draw(0.999))
    places.account(_state(places, [1.0] * N, 0.5, 0.5), NOWHERE)
    places.account(_state(places, [1e6] * N, 0.5, 1e6), torch.tensor([True, True, False, False]))
    places.begin_there(ALL, NUMBERS, _draw(0.0))
    assert places.level.tolist() == [1, 1, 2, 2]


def test_without_a_curriculum_every_level_is_drawn():
    places = _places(None)
    for value, level in ((0.0, 0), (0.5, 1), (0.999, 2)):
        places.begin_there(ALL, NUMBERS, _draw(value))
        assert places.level.tolist() == [level] * N


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"env": {"ground": None}}, "ground"),
        ({"env": {"terrain": None}}, "train.curriculum"),
    ],
)
def test_a_wrong_config_names_the_field(changes: dict[str, Any], told: str):
    good = get_task("Genelab-Velocity-Rough-Unitree-Go1-v0").model_dump()
    with pytest.raises(ValueError, match=told):
        TaskSpec.model_validate(good | {part: good[part] | change for part, change in changes.items()})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"command": "speed"}, r"train\.curriculum\.params\.command = 'speed': unknown command 'speed'"),
        ({"max_start_level": 10}, r"params\.max_start_level = 10: must be one of the levels 0 to 9"),
    ],
)
def test_a_curriculum_of_another_task_names_the_parameter(changes: dict[str, Any], told: str):
    task = get_task("Genelab-Velocity-Rough-Unitree-Go1-v0")
    assert task.train.curriculum is not None
    cfg = task.train.curriculum.model_copy(update={"params": task.train.curriculum.params | changes})
    with pytest.raises(InputError, match=told):
        check_terms(task.model_copy(update={"train": task.train.model_copy(update={"curriculum": cfg})}))
