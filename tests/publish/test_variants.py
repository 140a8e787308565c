"""A variant on the page: never mixed with the rows of its task."""

import shutil
from pathlib import Path

from genelab.publish.render import compose
from genelab.publish.store import add_entry, load_store
from genelab.records.check import check_path
from tests.records.factory import make_sweep, make_task

UPSTREAM = Path(__file__).parents[2] / "reference" / "upstream"


def store_with(tmp_path: Path, *variants: str | None) -> Path:
    """A store with an entry of each, in this order."""
    store = tmp_path / "reference"
    for number, variant in enumerate(variants):
        task = make_task("Toy-v1", variant=variant)
        add_entry(make_sweep(tmp_path / f"sweep_{number}", task=task), f"entry-{number}", store)
    shutil.copytree(UPSTREAM, store / "upstream")
    assert check_path(store / "Toy-v1").findings == []
    return store


def test_a_newer_variant_does_not_stand_for_its_task(tmp_path: Path) -> None:
    rendering = compose(store_with(tmp_path, None, "cpu"), tmp_path / "docs")
    own, _, variant = rendering.text.partition("## Toy-v1, variant `cpu`")
    assert "## Toy-v1\n" in own
    assert "Entry `entry-0`" in own
    assert "entry-1" not in own
    assert "Entry `entry-1`" in variant
    assert "entry-0" not in variant
    assert "these rows stand for the\nvariant alone" in variant
    assert "these rows stand for the\nvariant alone" not in own
    assert sorted(path.name for path in rendering.pictures) == ["Toy-v1.svg", "Toy-v1_cpu.svg"]


def test_a_task_may_have_entries_of_a_variant_alone(tmp_path: Path) -> None:
    text = compose(store_with(tmp_path, "cpu"), tmp_path / "docs").text
    assert "## Toy-v1, variant `cpu`" in text
    assert "## Toy-v1\n" not in text


def test_the_record_names_the_variant_and_how_to_repeat_it(tmp_path: Path) -> None:
    own, variant = load_store(store_with(tmp_path, None, "cpu"))[::-1]
    assert (own.record.variant, variant.record.variant) == (None, "cpu")
    assert variant.record.status == "reference"
    assert "genelab train Toy-v1 --variant cpu --seeds" in variant.record.reproduce
    assert "--variant" not in own.record.reproduce
    assert own.record.config_sha256 != variant.record.config_sha256
