import importlib.util
import json
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_page.py"


def test_the_page_quotes_its_data() -> None:
    spec = importlib.util.spec_from_file_location("compare_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text()
    assert text.count("<!-- rendered: ") == 9
    assert page.rendered(text) == text, "run scripts/compare_page.py"


def test_false_regressions_are_as_rare_as_the_page_says() -> None:
    rates = json.loads((SCRIPT.parents[1] / "docs" / "data" / "compare_error_rates.json").read_text())
    assert rates["draws"] >= 100_000
    assert max(row["regression"] for row in rates["verdicts"] if row["true_drop"] == 0.0) <= 0.02
