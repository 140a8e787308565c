import re
from pathlib import Path

import pytest

from genelab.cli import run

from .place import Place


def test_a_report_shows_targets_items_and_the_entries_that_they_made(begun: Place) -> None:
    pytest.importorskip("plotly", reason="needs genelab[report]")
    begun("target", "Toy-v1", "--metric", "return_mean", "--value", "29", "--source", "a <b>paper</b>")
    begun.change("lr")
    assert run(["report", "campaigns/c", "--out", "out"]) == 0
    page = Path("out/campaign-c.html").read_text()
    assert re.search(r"<td>Toy-v1</td>\s*<td>29.000</td>.*<td>reached</td>", page.replace("\n", ""))
    assert '<a href="task-toy-v1.html#set-0">base</a>' in page
    assert "agent.learning_rate" in page
    assert "c.base" in Path("out/index.html").read_text()


def test_a_campaign_that_was_edited_is_broken(begun: Place) -> None:
    pytest.importorskip("plotly", reason="needs genelab[report]")
    path = begun.folder / "campaign.json"
    path.write_text(path.read_text().replace("Try it.", "Prove it."))
    assert run(["report", "campaigns/c", "reference", "--out", "out"]) == 0
    page = Path("out/index.html").read_text()
    assert "was edited by hand" in page
    assert "c.base" in page
