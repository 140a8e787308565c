import json
import re
import shutil
from pathlib import Path

import pytest

from genelab.cli import run as genelab
from genelab.config.overrides import Override
from genelab.errors import FileError
from genelab.publish.overview import BEGIN, END
from genelab.publish.render import compose, differences, write
from genelab.publish.store import add_entry
from tests.records.factory import EPISODES, edit, make_sweep, make_task

V0, V1 = "GeneLab-Inverted-Pendulum-v0", "GeneLab-Inverted-Pendulum-v1"
UPSTREAM = Path(__file__).parents[2] / "reference" / "upstream" / "published_numbers.json"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and its page: pictures take seconds to draw, so every test gets a copy."""
    folder = tmp_path_factory.mktemp("rendered")
    store = folder / "reference"
    v0 = make_task(V0, published_as=V0)
    v1 = make_task(V1, published_as=V0, return_ceiling=None)
    stands = [39.991 + 0.001 * (-1) ** k for k in range(EPISODES)]
    still = make_sweep(folder / "v0", task=v0, idle=stands, returns=lambda seed: [39.99 + seed * 1e-3] * EPISODES)
    add_entry(still, "first", store)
    add_entry(make_sweep(folder / "old", task=v1, failed={3: "diverged | NaN"}), "old", store, allow_missing=True)
    add_entry(make_sweep(folder / "v1", task=v1), "new", store)
    (store / "upstream").mkdir()
    shutil.copy(UPSTREAM, store / "upstream")
    write(compose(store, folder / "docs"))
    return folder


@pytest.fixture
def store(rendered: Path, tmp_path: Path) -> Path:
    """A v0 task on which idle earns as much as the policy, and a v1 task with an older entry that lost a seed."""
    return shutil.copytree(rendered / "reference", tmp_path / "reference")


@pytest.fixture
def docs(rendered: Path, store: Path, tmp_path: Path) -> Path:
    """The page of the store."""
    return shutil.copytree(rendered / "docs", tmp_path / "docs")


def section(docs: Path, task: str) -> str:
    page = (docs / "reference-runs.md").read_text()
    return page.split(f"\n## {task}\n")[1].split("\n## ")[0]


def test_rows_in_published_layout_and_precision(docs: Path) -> None:
    text = section(docs, V1)
    head = "| seed | return mean | return std | length | success | convergence iteration | train wall | eval wall |"
    assert head in text
    assert "| 1 | 39.100 | 0.010 | 100.0 | - | 17 | 101.0 s | 12.2 s | clearly above |" in text
    assert "n = 3, mean 39.200, 95 % interval 38.952 to 39.448 (Student-t over seeds), std 0.100" in text
    assert "- Doing nothing earns: 3.750 (std 0.559), 100.0 steps" in text
    assert "Toy CPU" in text
    assert "genesis-world 1.4.5" in text
    assert f"- Reproduce: `genelab train {V1} --seeds 1,2,3 --log-dir runs/toy`" in text


def test_a_task_that_differs_from_the_published_one_of_its_name_says_so(docs: Path, store: Path) -> None:
    assert "differs from the published one" not in section(docs, V0)
    told = {"task": V0, "told": "the pole is | longer", "page": "pole.md#length"}
    (store / "upstream" / "differences.json").write_text(json.dumps([told]))
    write(compose(store, docs))
    text = section(docs, V0)
    assert "**Our task of this name differs from the published one**: the pole is \\| longer. [What" in text
    assert "differs](pole.md#length) is listed" in text
    # The rows of the other task stand there as those of another one already.
    assert "differs from the published one" not in section(docs, V1)
    (store / "upstream" / "differences.json").write_text('[{"task": "x"}]')
    with pytest.raises(FileError, match=r"differences\.json': 0\.told"):
        compose(store, docs)


def test_rows_not_above_idle_are_flagged_published_ones_too(docs: Path) -> None:
    text = section(docs, V0)
    assert "| 1 | 39.991 | 0.000 | 100.0 | - | 17 | 101.0 s | 12.2 s | **NOT clearly above** |" in text
    assert (
        "| v1.0 | 2 | 39.994 | 0.001 | 1000.0 | - | 150 iterations | ~2.5 min | 12.4 s | **NOT clearly above** |"
        in text
    )
    assert "| clearly above |" not in text
    assert "another task" not in text


def test_rows_of_another_task_are_labelled(docs: Path) -> None:
    text = section(docs, V1)
    assert "### Published GeneLab rows of another task" in text
    assert f"`{V0}` is **another task** with other physics" in text
    assert "| v1.0 | 2 | 39.994 | 0.001 | 1000.0 | - | 150 iterations | ~2.5 min | 12.4 s | - |" in text


def test_missing_seed_prints_without_a_mean(docs: Path) -> None:
    current, previous = section(docs, V1).split("<details>\n<summary>Previous</summary>")
    assert "Entry `new`" in current
    assert "Entry `old`" in previous
    assert "**2/3 seeds**, so no mean: seed 3 failed (diverged \\| NaN)" in previous
    assert "mean 39" not in previous
    assert "2/3 seeds" not in current


def test_links_lead_to_files(docs: Path) -> None:
    page = (docs / "reference-runs.md").read_text()
    targets = [part.split(")")[0] for part in page.split("](")[1:]]
    assert any(target.endswith("seed_1/eval.json") for target in targets)
    headings = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    anchors = {"#" + re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}
    assert anchors <= {*targets}
    missing = [target for target in targets if target not in anchors and not (docs / target).exists()]
    assert missing == ["guides/engines.md", "reference/statistics.md"], "the only links to hand-written pages"


def test_picture_shows_every_seed_and_idle(docs: Path) -> None:
    text = (docs / "curves" / f"{V1}.svg").read_text()
    for label in ("seed 1", "seed 2", "seed 3", "idle: 3.750", "evaluated", "environment steps", "iterations"):
        assert f">{label}</text>" in text


def test_two_renderings_have_equal_bytes(store: Path, tmp_path: Path, docs: Path) -> None:
    again = tmp_path / "again"
    write(compose(store, again))
    names = sorted(path.relative_to(docs) for path in docs.rglob("*") if path.is_file())
    assert len(names) == 3
    assert all((docs / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert write(compose(store, docs)) == []


def test_check_passes_on_what_was_rendered(store: Path, docs: Path) -> None:
    assert differences(compose(store, docs)) == []
    assert genelab(["render", "--check", "--store", str(store), "--docs", str(docs)]) == 0


def test_check_fails_after_an_edit_of_the_page(store: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = docs / "reference-runs.md"
    page.write_text(page.read_text().replace("39.100", "39.900"))
    assert genelab(["render", "--check", "--store", str(store), "--docs", str(docs)]) == 1
    assert capsys.readouterr().out.strip() == f"{page}: differs from the records"
    assert "39.900" in page.read_text(), "a check writes nothing"


def test_check_fails_after_an_edit_of_a_picture(store: Path, docs: Path) -> None:
    path = docs / "curves" / f"{V0}.svg"
    path.write_text(path.read_text().replace("seed 1", "seed 9"))
    assert differences(compose(store, docs)) == [f"{path}: was edited after it was drawn"]
    path.unlink()
    assert differences(compose(store, docs)) == [f"{path}: missing"]
    assert write(compose(store, docs)) == [path]


def test_new_entry_makes_page_and_picture_stale(store: Path, docs: Path, tmp_path: Path) -> None:
    add_entry(make_sweep(tmp_path / "newer", task=make_task(V1, task_version=2)), "newer", store)
    assert differences(compose(store, docs)) == [
        f"{docs / 'reference-runs.md'}: differs from the records",
        f"{docs / 'curves' / V1}.svg: shows other data than the records",
    ]


def test_picture_of_a_task_without_entry_goes(store: Path, docs: Path) -> None:
    shutil.rmtree(store / V0)
    rendering = compose(store, docs)
    assert f"{docs / 'curves' / V0}.svg: its task has no entry" in differences(rendering)
    (docs / "curves" / "mine.svg").write_text("<svg/>")
    write(rendering)
    assert not (docs / "curves" / f"{V0}.svg").exists()
    assert (docs / "curves" / "mine.svg").exists()


def test_broken_entry_is_never_rendered(store: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(store / V1 / "new" / "entry.json", lambda record: record["aggregate"].update(mean=39.9))
    before = (docs / "reference-runs.md").read_text()
    assert genelab(["render", "--store", str(store), "--docs", str(docs)]) == 1
    assert "entry.aggregate.mean: 39.9 stored" in capsys.readouterr().err
    assert (docs / "reference-runs.md").read_text() == before


@pytest.mark.parametrize(("field", "value"), [("return_std", -1.0), ("seed", "2")])
def test_broken_published_rows_are_an_error(
    field: str, value: object, store: Path, docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store / "upstream" / "published_numbers.json"
    rows = json.loads(path.read_text())
    rows[0][field] = value
    path.write_text(json.dumps(rows))
    assert genelab(["render", "--store", str(store), "--docs", str(docs)]) == 2
    assert f"0.{field} = {value!r}" in capsys.readouterr().err


def test_store_without_entries_or_published_rows(tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    assert "No entry yet." in compose(tmp_path / "reference", tmp_path / "docs").text
    assert genelab(["render", "--store", str(tmp_path / "nowhere")]) == 2


def test_a_readme_shows_the_overview_between_its_lines(docs: Path, store: Path) -> None:
    readme = docs.parent / "README.md"
    readme.write_text(f"# Toy\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    assert differences(compose(store, docs)) == [f"{readme}: differs from the records"]
    assert write(compose(store, docs)) == [readme]
    text = readme.read_text()
    assert text.startswith(f"# Toy\n\n{BEGIN}\n\n| task |")
    assert text.endswith(f"|\n\n{END}\n\nThe end.\n")
    assert "old" not in text
    assert "](docs/reference-runs.md#genelab-inverted-pendulum-v1)" in text
    assert differences(compose(store, docs)) == []
    readme.write_text(f"# Toy\n\n{BEGIN}\n")
    with pytest.raises(FileError, match="must have both lines"):
        compose(store, docs)


def test_other_settings_never_stand_for_the_task(store: Path, tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "other", task=make_task(V1, published_as=V0, return_ceiling=None))
    change = Override(path="agent.normalization", old="running", new="fixed").model_dump(mode="json")
    for seed in (1, 2, 3):
        edit(sweep / f"seed_{seed}" / "run.json", lambda record: record.update(overrides=[change]))
    add_entry(sweep, "other-settings", store)
    write(compose(store, tmp_path / "docs"))
    text = section(tmp_path / "docs", V1)
    head, _, others = text.partition("<summary>Other settings</summary>")
    assert "Entry `new`" in head
    assert "Entry `other-settings`" in others.partition("<summary>Previous</summary>")[0]
    assert 'Changed by the command line: agent.normalization "running" → "fixed"' in others
