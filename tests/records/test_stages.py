"""Records of a task that is trained in stages."""

import json
from pathlib import Path
from typing import Any

import pytest

from genelab.config.stage import StageCfg, TrainCfg
from genelab.config.task import TaskSpec
from genelab.publish.render import compose
from genelab.publish.store import add_entry
from genelab.records.check import check_path
from genelab.records.curve import curve_of
from genelab.show.curves import draw
from tests.records.factory import ITERATIONS, make_sweep, make_task, set_at
from tests.records.test_check import messages


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Three seeds that trained for 20 iterations on 4 environments first, and then as the task says."""
    return make_sweep(tmp_path / "sweep", task=_staged(), curve=lambda _seed, i: -9.0 if i < 20 else min(i, 30.0))


def _staged() -> TaskSpec:
    task = make_task()
    early = StageCfg(env=task.env, agent=task.agent, train=TrainCfg(num_envs=4, iterations=20))
    return make_task(stages={"early": early})


def test_a_staged_sweep_is_in_order(sweep: Path) -> None:
    assert check_path(sweep).findings == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("stages.0.name", "late", "stages: ['late'], the snapshot has ['early']"),
        ("stages", [], "stages: [], the snapshot has ['early']"),
        ("stages.0.checkpoint.iteration", 19, "stages.early.checkpoint: 19 iterations, the snapshot gives 20"),
        ("stages.0.timing.env_steps", 1, "stages.early.timing.env_steps: 1, the snapshot gives 1920"),
        ("stages.0.timing.train_wall_s", 999.0, "stages.early.timing.train_wall_s: 999.0 does not rise to the total"),
        ("timing.env_steps", 11520, "timing.env_steps: 11520, the snapshot gives 13440"),
    ],
)
def test_a_claim_about_a_stage_is_checked(sweep: Path, path: str, value: Any, told: str) -> None:
    set_at(sweep / "seed_1" / "run.json", path, value)
    assert any(told in message for message in messages(sweep))


def test_the_policy_of_a_stage_is_checked_where_it_is(sweep: Path) -> None:
    (sweep / "seed_1" / "stage_early.pt").write_bytes(b"other weights")
    assert any("stage_early.pt: is not the recorded file" in message for message in messages(sweep))


def test_the_page_tells_the_whole_training(sweep: Path, tmp_path: Path) -> None:
    store = tmp_path / "reference"
    add_entry(sweep, "first", store)
    rendering = compose(store, tmp_path / "docs")
    assert "| 101.0 s |" in rendering.text
    assert (
        "Trained in stages: early 20 iterations in 40.4 s / 40.8 s / 41.2 s, the task 30 iterations in"
        in rendering.text
    )
    (entry,) = rendering.pictures.values()
    assert ">the task<" in draw(entry).replace("> ", ">")


def test_the_statistics_of_a_curve_are_those_of_the_last_stage(sweep: Path, tmp_path: Path) -> None:
    run = json_of(add_entry(sweep, "first", tmp_path / "reference"))["runs"][0]
    # From 20 to 30 in 10 iterations; the constant curve before it counts for nothing.
    assert run["curve"]["stability"] == 1.0
    assert run["curve"]["final_average"] > 27.0
    assert 30 < run["curve"]["convergence_iteration"] < 20 + ITERATIONS
    curve = curve_of([(0, 1.0), (1, None), (2, 3.0), (3, 4.0)], 4).since(2)
    assert (curve.budget, curve.iterations, curve.returns) == (2, (0, 1), (3.0, 4.0))


def json_of(entry: Path) -> dict[str, Any]:
    return json.loads((entry / "entry.json").read_text())
