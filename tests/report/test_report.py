"""What the pages of a report hold, and how its folder is written. Without a browser."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from genelab.cli import run
from genelab.compare.compare import compare
from genelab.compare.sides import load
from genelab.config.commands import CompareCfg
from genelab.report.figures import MOST_POINTS
from tests.records.factory import EPISODES, ITERATIONS, edit, everything, make_sweep, make_task, set_at

from .conftest import MARKUP

pytest.importorskip("plotly", reason="needs genelab[report]")
OUT = Path("out")


def made(*given: str, out: Path = OUT) -> dict[str, str]:
    """The pages of a report, by name."""
    assert run(["report", *given, "--out", str(out)]) == 0
    return {path.name: path.read_text() for path in out.glob("*.html")}


def words(page: str) -> str:
    """What a reader sees of a page."""
    body = re.sub(r"(?s)<script.*?</script>", "", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def figures(page: str) -> dict[str, Any]:
    found = re.search(r'(?s)<script type="application/json" id="figures">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def lines(figure: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["name"] == name]


def test_the_overview_has_a_row_for_every_entry_with_its_numbers(store: Path) -> None:
    pages = made()
    assert sorted(pages) == [
        "index.html",
        "task--img-src-x-onerror-alert-1-.html",
        "task-toy-v1.html",
        "task-walker-v1.html",
    ]
    text = words(pages["index.html"])
    assert "3 tasks, 4 sets of seeds. Of 9 finished seeds, all earn clearly more than doing nothing." in text
    assert "1 set did not pass the check." in text
    # Returns of seeds 1, 2, 3 are 39.1, 39.2, 39.3: t = 4.303, s = 0.1.
    assert "39.200 (38.952 to 39.448) 3.750 40.000" in text
    assert "90% of the distance" in text
    assert text.count("Toy CPU") == 3
    # (39.2 - 3.75) / (40 - 3.75)
    assert "98 % of the way" in pages["index.html"]


def test_what_does_not_pass_the_check_is_broken_with_its_reason_and_shows_no_number(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_at(store / "Toy-v1" / "old" / "seed_2" / "eval.json", "metrics.return_mean", 47.11)
    pages = made()
    assert "broken: reference/Toy-v1/old: " in capsys.readouterr().err
    assert pages["index.html"].count("39.200") == 1, "the walker's"
    assert "39.900" in pages["index.html"]
    assert "47.11 stored" in words(pages["task-toy-v1.html"])
    assert list(figures(pages["task-toy-v1.html"])) == ["curves", "episodes-0"]


def test_markup_in_a_name_is_text(store: Path) -> None:
    for page in made().values():
        assert "<img src=x" not in page
    assert MARKUP in words((OUT / "index.html").read_text())


def test_curves_episodes_and_probe_are_those_of_the_records(store: Path) -> None:
    made()
    found = figures((OUT / "task-walker-v1.html").read_text())
    first, second = lines(found["curves"], "seed 1")[:2]
    rows = [json.loads(row) for row in (store / "Walker-v1/first/seed_1/curve.jsonl").read_text().splitlines()]
    whole = [row for row in rows if row["episode_return"] is not None]
    assert [*first["customdata"][:-1], *second["customdata"]] == [row["iteration"] + 1 for row in whole]
    assert [*first["y"][:-1], *second["y"]] == pytest.approx([row["episode_return"] for row in whole], rel=1e-4)
    assert second["x"][-1] == ITERATIONS * 16 * 24
    assert lines(found["curves"], "doing nothing")[0]["y"] == [3.75, 3.75]
    evaluation = json.loads((store / "Walker-v1/first/seed_3/eval.json").read_text())
    policy, idle, _ = found["episodes-0"]["data"]
    assert policy["y"][2 * EPISODES :] == pytest.approx(evaluation["episodes"]["return"], rel=1e-4)
    assert policy["x"][-1] == "seed 3"
    assert idle["y"][:EPISODES] == evaluation["baselines"]["idle"]["episodes"]["return"]
    [judged], [elsewhere] = lines(found["radar-0"], "seed 2"), lines(found["radar-0"], "seed 2 in MuJoCo")
    assert (judged["theta"], judged["r"]) == (["forward", "turn right", "forward"], [0.8, 0.8, 0.8])
    assert elsewhere["r"] == [0.72, 0.72, 0.72]
    assert "radar-0" not in figures((OUT / "task-toy-v1.html").read_text())


def test_a_long_curve_is_thinned_and_says_so(store: Path) -> None:
    task = make_task("Long-v1").model_copy(update={"train": make_task().train.model_copy(update={"iterations": 2000})})
    page = made(str(make_sweep(Path("runs/long"), task=task)))["task-long-v1.html"]
    found = lines(figures(page)["curves"], "seed 1")
    points = sum(len(trace["y"]) for trace in found)
    assert MOST_POINTS / 2 < points <= MOST_POINTS + 5
    assert max(trace["customdata"][-1] for trace in found if "customdata" in trace) == 2000
    assert "every 3th iteration is drawn" not in page
    assert "1 in 3 iterations is drawn" in page


def test_two_entries_are_compared_as_genelab_compare_does(store: Path) -> None:
    page = words(made()["task-toy-v1.html"])
    record = compare(load("Toy-v1/old", store), load("Toy-v1/new", store), CompareCfg())
    [row] = [row for row in record.metrics if row.name == "return_mean"]
    assert row.ci95
    assert "old → new" in page
    assert "new → old" not in page
    assert f"{record.verdict} return_mean differs by {row.difference:+.3f}, 95 % interval {row.ci95[0]:+.3f}" in page


def test_sweeps_and_runs_stand_beside_entries_and_missing_seeds_make_no_mean(store: Path) -> None:
    half = make_sweep(Path("runs/half"), failed={3: "killed"})
    pages = made("Toy-v1/old", str(half), str(half / "seed_1"))
    assert sorted(pages) == ["index.html", "task-toy-v1.html"]
    text = words(pages["index.html"])
    assert "runs/half , sweep 2/3" in text
    assert "runs/half/seed_1 , run 1" in text
    page = pages["task-toy-v1.html"]
    assert "runs/half → old</option>" in page
    assert "not comparable A: seed 3 is not finished: failed" in words(page)


def test_a_sweep_in_training_has_curves_and_no_result(store: Path) -> None:
    sweep = make_sweep(Path("runs/going"), seeds=(1,))
    edit(sweep / "sweep.json", lambda record: record["seeds"][0].update(state="training", exit_code=None))
    edit(sweep / "seed_1" / "run.json", lambda record: record.update(status="training"))
    (sweep / "seed_1" / "eval.json").unlink()
    page = made(str(sweep))["task-toy-v1.html"]
    assert "no result yet" in words(page)
    assert "its state is 'training'" in words(page)
    assert list(figures(page)) == ["curves"]


def test_every_link_leads_to_a_file_of_the_folder_and_none_out_of_it(store: Path) -> None:
    pages = made()
    for page in pages.values():
        for link in re.findall(r'(?:href|src)="([^"]*)"', page):
            place, _, anchor = link.partition("#")
            assert place == "data:," or (OUT / place).is_file(), link
            assert not anchor or f'id="{anchor}"' in pages[place]
    film = store / "Walker-v1/first/seed_2/film.png"
    assert (OUT / "files/task-walker-v1/0/seed_2/film.png").read_bytes() == film.read_bytes()
    assert max(path.stat().st_size for path in OUT.rglob("*")) < 5_000_000
    assert [path.name for path in OUT.rglob("plotly*")] == ["plotly.min.js"]


def test_a_report_is_replaced_whole_and_nothing_else_is(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made("Walker-v1/first")
    made("Toy-v1/old", "Toy-v1/new")
    assert sorted(path.name for path in OUT.glob("*.html")) == ["index.html", "task-toy-v1.html"]
    before = everything(Path())
    mine = Path("mine")
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for out, told in (
        (mine, "exists and is no report"),
        (mine / "thesis.txt", "exists and is no directory"),
        (store / "Toy-v1" / "old" / "report", "lies in the directory of an entry"),
    ):
        assert run(["report", "--out", str(out)]) == 2
        assert told in capsys.readouterr().err
    assert run(["report", "Toy-v1/none", "--out", str(OUT)]) == 2
    assert "'Toy-v1/none' is no directory, and no TASK/ENTRY of the store 'reference'" in capsys.readouterr().err
    assert everything(Path()) == before | {"mine/thesis.txt": b"years of work"}


def test_equal_records_make_equal_reports(store: Path) -> None:
    made()
    first = everything(OUT)
    made(out=Path("again"))
    assert everything(Path("again")) == first
