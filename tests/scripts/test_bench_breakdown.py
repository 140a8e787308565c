"""That the benchmark of a step's parts clocks what there is."""

from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_every_part_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from bench_breakdown import PARTS

    for places in PARTS.values():
        for owner, attribute in places:
            assert callable(getattr(owner, attribute)), f"{owner.__name__}.{attribute}"
