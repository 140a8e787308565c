"""Several runs in one picture."""

from pathlib import Path

import pytest

from genelab.cli import run as genelab
from genelab.config.commands import PlotCfg
from genelab.publish.store import add_entry
from genelab.show.plot import notes, read_curves
from tests.records.factory import make_sweep, make_task
from tests.show.test_curves import staged


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return make_sweep(tmp_path / "runs" / "toy", curve=lambda seed, i: None if i == 0 else 10.0 * seed + i)


def test_a_column_at_its_place_on_each_axis(sweep: Path) -> None:
    (by_steps,) = read_curves([sweep], PlotCfg())
    assert by_steps.label == "toy"
    assert [seed.seed for seed in by_steps.seeds] == [1, 2, 3]
    second = by_steps.seeds[1]
    # 16 environments x 24 control steps; the first row has no value.
    assert (second.places[0], second.places[9], second.values[9]) == (384, 3840, 29.0)
    assert 0 not in second.values
    (by_hours,) = read_curves([sweep], PlotCfg(x="hours", metric="termination/fell"))
    assert (by_hours.seeds[0].places[9], by_hours.seeds[0].values[9]) == (pytest.approx(0.01), 2)
    (one,) = read_curves([sweep / "seed_3"], PlotCfg(x="iterations"))
    assert (one.label, one.seeds[0].places[9]) == ("toy/seed_3", 10)


def test_a_torn_last_row_of_a_training_that_goes_on_is_left_out(sweep: Path) -> None:
    curve = sweep / "seed_1" / "curve.jsonl"
    curve.write_bytes(curve.read_bytes()[:-5])
    (run,) = read_curves([sweep], PlotCfg())
    assert [max(seed.places) for seed in run.seeds] == [28, 29, 29]


def test_what_a_picture_cannot_show_is_told(sweep: Path, tmp_path: Path) -> None:
    (sweep / "seed_2" / "curve.jsonl").unlink()
    runs = read_curves([sweep, make_sweep(tmp_path / "runs" / "staged", task=staged())], PlotCfg())
    assert notes(runs, PlotCfg()) == ["toy: seed 2 has no value of episode_return yet, and no line"]
    task = make_task()
    other = make_task(
        env=task.env.model_copy(update={"reward_per": "step" if task.env.reward_per == "second" else "second"})
    )
    runs = read_curves([sweep / "seed_1", make_sweep(tmp_path / "runs" / "other", task=other)], PlotCfg())
    assert notes(runs, PlotCfg()) == ["toy/seed_1 and other have other rewards: their returns are not in one unit"]
    assert notes(runs, PlotCfg(metric="step_reward")) == []


@pytest.mark.slow
def test_the_command_draws_sweeps_and_entries(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = add_entry(make_sweep(tmp_path / "new", task=staged()), "first", tmp_path / "reference")
    out = tmp_path / "curves.svg"
    assert genelab(["plot", str(sweep), str(entry), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    text = out.read_text()
    told = "3 of 3 seeds, bold: median, evaluated 39.100 to 39.300, idle 3.750"
    for label in (f"toy: {told}", f"Toy-v1/first: {told}", "environment steps", "idle", "evaluated"):
        assert f">{label}</text>" in text, label
    assert ">stages with other rewards than the task's</text>" in text.replace("&#39;", "'")
    assert genelab(["plot", str(sweep), "--metric", "termination/fell", "--x", "hours", "--out", str(out)]) == 0
    text = out.read_text()
    assert ">fell: episodes that it ended in the iteration</text>" in text
    assert ">hours of training</text>" in text
    assert ">idle</text>" not in text
    png = tmp_path / "curves.png"
    assert genelab(["plot", str(sweep), "--x", "iterations", "--out", str(png)]) == 0
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--metric", "loss/x"], "no such column; it has episode_return, step_reward, termination/fell, wall_s"),
        (["--out", "curves.pdf"], "--out curves.pdf: must end in .svg or .png"),
        (["missing"], "'missing' holds no run: no run.json, and no directory seed_<S> with one"),
    ],
)
def test_refusals(sweep: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert genelab(["plot", str(sweep), *words]) == 2
    assert told in capsys.readouterr().err
