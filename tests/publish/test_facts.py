from pathlib import Path
from typing import Any

from genelab.publish.render import compose
from genelab.publish.store import add_entry
from tests.records.factory import edit, make_sweep


def test_what_a_stamp_does_not_know_is_told_on_the_page(tmp_path: Path) -> None:
    def forget(record: dict[str, Any]) -> None:
        for code in record["code"]:
            code.update(commit=None, dirty=None, problem="git is not installed")
        record["hardware"]["ram_bytes"] = None

    sweep = make_sweep(tmp_path / "sweep")
    for path in sweep.glob("seed_*/*.json"):
        if not path.name.endswith(".metadata.json"):
            edit(path, forget)
    add_entry(sweep, "first", tmp_path / "reference")
    page = compose(tmp_path / "reference", tmp_path / "docs").text
    assert "(commit unknown, **git is not installed**)" in page
    assert "memory unknown" in page
