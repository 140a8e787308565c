"""A report in headless Chromium, opened from the disk as a reader would."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genelab.cli import run
from tests.browser import launch

from .conftest import MARKUP

pytest.importorskip("plotly", reason="needs genelab[report]")
pytestmark = pytest.mark.slow
OUT = Path("out")
TOY, WALKER = "task-toy-v1.html", "task-walker-v1.html"
SHOWN = "place => place.data.filter(trace => trace.visible === true && trace.mode === 'lines').length"
"""Lines of a figure that are shown."""
POINT = """place => {
  const trace = place.data.find(each => each.name === "seed 2" && each.customdata?.includes(11));
  const k = trace.customdata.indexOf(11), {xaxis, yaxis} = place._fullLayout, box = place.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(trace.x[k]), box.top + yaxis._offset + yaxis.l2p(trace.y[k])];
}"""
"""Where iteration 11 of seed 2 lies on the screen."""


@pytest.fixture
def visitor(store: Path) -> Iterator[Any]:
    """A page of a browser. Whatever goes wrong on it, and any request but for a file, fails the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    assert run(["report", "--out", str(OUT)]) == 0
    wrong: list[str] = []
    with playwright.sync_playwright() as started:
        browser = launch(started)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        page.on("requestfailed", lambda request: wrong.append(f"failed {request.url}"))
        page.on("request", lambda sent: wrong.append(sent.url) if sent.url.startswith(("http", "ws")) else None)
        yield page
        browser.close()
    assert wrong == []


def opened(visitor: Any, name: str) -> Any:
    """Open a page, unfold everything, and see it to its end."""
    visitor.goto((OUT / name).resolve().as_uri())
    visitor.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for place in visitor.locator("[data-figure], img").all():
        place.scroll_into_view_if_needed()
    for place in visitor.locator("[data-figure]").all():
        place.locator(".main-svg").first.wait_for()
    return visitor


@pytest.mark.parametrize("width", [1200, 380])
def test_every_page_opens_without_an_error_and_fits_its_width(visitor: Any, width: int) -> None:
    visitor.set_viewport_size({"width": width, "height": 800})
    names = sorted(path.name for path in OUT.glob("*.html"))
    assert len(names) == 4
    for name in names:
        page = opened(visitor, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert all(page.evaluate("[...document.images].map(each => each.naturalWidth > 0)"))


def test_a_click_in_the_legend_hides_a_seed_and_a_pointer_reads_its_curve(visitor: Any) -> None:
    page = opened(visitor, WALKER)
    curves = page.locator("[data-figure=curves]")
    before = curves.evaluate(SHOWN)
    entry = curves.locator(".legend .traces", has_text="seed 1").locator(".legendtoggle")
    entry.click()
    page.wait_for_function(f"({SHOWN})(document.querySelector('[data-figure=curves]')) === {before - 2}")
    curves.scroll_into_view_if_needed()
    x, y = curves.evaluate(POINT)
    page.mouse.move(x + 20, y)
    page.mouse.move(x, y, steps=3)
    text = curves.locator(".hoverlayer .hovertext").first.text_content()
    assert "iteration 11" in text
    assert "seed 2" in text


def test_markup_in_a_name_is_shown_as_text(visitor: Any) -> None:
    page = opened(visitor, "index.html")
    page.get_by_role("link", name=MARKUP).click()
    assert page.locator("h1").text_content() == MARKUP
    assert page.locator("img").count() == 0


def test_a_comparison_is_chosen_and_a_column_sorts(visitor: Any) -> None:
    assert run(["report", "reference", "runs/old", "--out", str(OUT)]) == 0
    page = opened(visitor, TOY)
    page.locator("#pairs").select_option(label="runs/old → new")
    [shown] = [pair for pair in page.locator(".pair").all() if pair.is_visible()]
    assert "equivalent" in shown.text_content()
    heads = page.locator("table.sortable th")
    returns = "rows => rows.map(row => parseFloat(row.cells[2].textContent))"
    assert [head.text_content() for head in heads.all()][2] == "return"
    for click in (lambda: heads.nth(2).click(), lambda: heads.nth(2).press("Enter")):
        click()
        found = page.locator("table.sortable tbody tr").evaluate_all(returns)
        assert found in ([39.2, 39.2, 39.9], [39.9, 39.2, 39.2])
    assert found == [39.9, 39.2, 39.2]
