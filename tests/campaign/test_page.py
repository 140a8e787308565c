from pathlib import Path

import pytest

from genelab.campaign import page as campaign_page
from genelab.campaign.files import load
from genelab.campaign.state import next_items, standing, standings
from genelab.compare.compare import compare
from genelab.compare.sides import load as load_side
from genelab.config.commands import CompareCfg
from tests.records.factory import make_sweep

from .place import TASK, Place

ROOT = Path(__file__).parents[2]


def test_our_campaign_has_a_target_or_a_reason_for_every_task_that_two_cores_train() -> None:
    if not (ROOT / "campaigns").is_dir():
        pytest.skip("not in the distribution")
    campaign = load(ROOT / "campaigns" / "rebaseline-0.2")
    targets = {(target.task, target.variant): target for target in campaign.record.targets}
    assert {(item.task, item.variant) for item in campaign.items.values()} <= targets.keys()
    assert all(targets[f"GeneLab-{name}Inverted-Pendulum-v0", None].value is None for name in ("", "Double-"))


def test_the_page_goes_by_what_is_committed_alone(begun: Place) -> None:
    begun.change("lr")
    begun("queue", "lr")
    before = campaign_page.pages(begun.store, begun.docs)
    begun.trained("lr", 35.0)
    assert begun.state("lr") == "trained"
    assert campaign_page.pages(begun.store, begun.docs) == before
    text = before[begun.docs / "campaigns" / "c.md"]
    assert "| lr | Toy-v1 | agent.learning_rate: 0.001 -> 0.01 | 1,2,3 | queued | - | - |" in text
    assert "- `lr`: faster\n  - Expected: better, against `base`. worth it" in text


def test_what_brought_nothing_is_listed(begun: Place) -> None:
    begun.change("lr")
    begun.entered("lr", 20.0)
    begun("judge", "lr", "--decision", "drop", "--why", "worse | by far")
    text = campaign_page.pages(begun.store, begun.docs)[begun.docs / "campaigns" / "c.md"]
    head, _, tail = text.partition("## Tested, no benefit")
    assert "| lr | agent.learning_rate: 0.001 -> 0.01 | worse \\| by far |" in tail
    assert "| regression against c.base | drop: worse \\| by far |" in head


def test_states_are_a_function_of_the_files(begun: Place) -> None:
    campaign, entry = begun.campaign(), begun.found("base").entry
    item, events = campaign.items["base"], campaign.of("base")

    def state(count: int, entry: object = None) -> str:
        return standing(item, events[:count], [entry], None, attempts=3, held=False).state  # pyright: ignore

    assert [event.what for event in events] == ["add", "queue"]
    assert [state(1), state(2), state(2, entry)] == ["draft", "queued", "entered"]
    assert next_items(standings(campaign, {}, None))[0].item.id == "base"


@pytest.mark.parametrize(("metric", "idle"), [("final_average", 3.75), ("strength", 0.0), ("stability", 0.0)])
def test_comparing_by_a_statistic_of_the_curve(tmp_path: Path, metric: str, idle: float) -> None:
    """The new side learns five times as fast: only its curve tells."""

    def slow(seed: int, iteration: int) -> float:
        return 39.0 - 36.0 * 0.9 ** (iteration * (1 + seed / 100))

    def fast(seed: int, iteration: int) -> float:
        return slow(seed, 5 * iteration)

    a, b = make_sweep(tmp_path / "a", curve=slow), make_sweep(tmp_path / "b", curve=fast, seeds=(4, 5, 6))
    record = compare(load_side(str(a), tmp_path), load_side(str(b), tmp_path), CompareCfg(metric=metric))
    row = next(row for row in record.metrics if row.name == metric)
    assert record.verdict == ("equivalent" if metric == "stability" else "improvement")
    assert set(row.a.idle) == {idle}
    usual = compare(load_side(str(a), tmp_path), load_side(str(b), tmp_path), CompareCfg())
    assert metric not in [row.name for row in usual.metrics]
    assert usual.a.task == TASK
