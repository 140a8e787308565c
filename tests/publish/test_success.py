"""Success and chosen values on the page."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from genelab.config.base import Choice
from genelab.config.overrides import Override
from genelab.publish.render import compose
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from genelab.records.statistics import wilson
from tests.records.factory import EPISODES, edit, make_sweep, make_task

FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
UPSTREAM = Path(__file__).parents[2] / "reference" / "upstream"


def page(tmp_path: Path, success: tuple[int, int]) -> str:
    task = make_task(FRANKA, published_as=FRANKA)
    store = tmp_path / "reference"
    add_entry(make_sweep(tmp_path / "sweep", task=task, success=success), "first", store)
    shutil.copytree(UPSTREAM, store / "upstream")
    assert check_path(store / FRANKA).findings == []
    return compose(store, tmp_path / "docs").text


def test_success_stands_beside_idle_and_the_published_rows(tmp_path: Path) -> None:
    text = page(tmp_path, (8, 7))
    assert "| seed | return mean | return std | length | success | at end | convergence iteration |" in text
    assert "| 1 | 39.100 | 0.010 | 100.0 | 1.000 | 0.875 | 17 |" in text
    assert "- Doing nothing earns: 3.750 (std 0.559), 100.0 steps, success 0.125, at the end 0.000" in text
    assert "- Random actions earn: 1.875 (std 0.280), 100.0 steps, success 0.125, at the end 0.125" in text
    ever, end = wilson(3 * EPISODES, 3 * EPISODES), wilson(21, 3 * EPISODES)
    interval = f"success rate {ever[0]:.3f} to {ever[1]:.3f} (95 % Wilson over all episodes)"
    assert f"; {interval}, at the end {end[0]:.3f} to {end[1]:.3f}" in text
    assert "| v1.0 | 1 | -6.122 | 13.307 | 100.0 | 0.990 | 2000000 timesteps |" in text
    assert "NOT" not in text.split("### Published")[0]


def test_success_that_luck_explains_is_flagged(tmp_path: Path) -> None:
    text = page(tmp_path, (4, 4))
    assert "| 1 | 39.100 | 0.010 | 100.0 | 0.500 **NOT clearly above** idle's | 0.500 | 17 |" in text
    # The verdict on the return is another one.
    assert "| 101.0 s | 12.2 s | clearly above |" in text


def test_the_record_of_an_entry_tells_both(tmp_path: Path) -> None:
    page(tmp_path, (8, 7))
    [entry] = load_store(tmp_path / "reference")
    run, over = entry.record.runs[0], entry.record.aggregate
    assert (run.idle_success_rate, run.success_above_idle, run.metrics.success_at_end_rate) == (0.125, True, 0.875)
    assert over
    assert (over.success_wilson95, over.success_at_end_wilson95) == (wilson(24, 24), wilson(21, 24))


@pytest.mark.parametrize("chosen", [True, False])
def test_to_choose_what_a_task_leaves_open_is_no_change(chosen: bool, tmp_path: Path) -> None:
    task = make_task()
    reward = task.env.rewards["alive"]
    choice = Choice(what="gait", kind="string").choose("trot")
    reward = reward.model_copy(update={"params": {"gait": choice if chosen else "trot"}})
    task = task.model_copy(update={"env": task.env.model_copy(update={"rewards": {"alive": reward}})})
    sweep = make_sweep(tmp_path / "sweep", task=task)
    path = "env.rewards.alive.params.gait"
    override = Override(path=path, old=None, new="trot").model_dump(mode="json")

    def change(record: dict[str, Any]) -> None:
        record["overrides"] = [override]

    for seed in (1, 2, 3):
        edit(sweep / f"seed_{seed}" / "run.json", change)
    add_entry(sweep, "first", tmp_path / "reference")
    [entry] = load_store(tmp_path / "reference")
    assert entry.record.status == ("reference" if chosen else "preview")
    text = compose(tmp_path / "reference", tmp_path / "docs").text
    assert (f'- Chosen, as the task leaves it open: {path} = "trot"' in text) is chosen
    assert (f'- Changed by the command line: {path} null → "trot"' in text) is not chosen
    assert f"--set '{path}=\"trot\"'" in text, "the command that repeats it chooses the same"
