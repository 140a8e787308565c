import importlib.util
import json
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "render_data.py"


def test_pages_quote_their_data() -> None:
    spec = importlib.util.spec_from_file_location("render_data", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert [page.name for page in script.pages()] == ["published-pendulums.md", "compare.md"]
    for page in script.pages():
        text = page.read_text()
        assert script.rendered(text) == text, "run scripts/render_data.py"


def test_false_regressions_are_as_rare_as_the_page_says() -> None:
    rates = json.loads((SCRIPT.parents[1] / "docs" / "data" / "compare_error_rates.json").read_text())
    assert rates["draws"] >= 100_000
    assert max(row["regression"] for row in rates["verdicts"] if row["true_drop"] == 0.0) <= 0.02
