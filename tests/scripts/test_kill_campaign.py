"""What the campaign of kills takes for a success, without its trainings."""

from pathlib import Path
from typing import Any

import pytest

from tests.robust.state_readers import sac_trainer

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.parametrize(
    ("landed", "violations", "at_least", "code"), [(3, 0, 3, 0), (2, 0, 3, 1), (0, 0, 0, 0), (3, 1, 3, 1)]
)
def test_kills_that_did_not_land_prove_nothing(landed: int, violations: int, at_least: int, code: int) -> None:
    from kill_campaign import Kill, Outcome, verdict

    kills = [Kill("training", "all", 0.0, 1, landed=k < landed) for k in range(4)]
    assert verdict(Outcome(kills, ["torn"] * violations), at_least) == code


@pytest.mark.parametrize(("args", "at_least"), [((), 30), (("--kills", "4"), 4), (("--at-least", "7"), 7)])
def test_a_campaign_fails_below_its_number_of_landed_kills(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], at_least: int
) -> None:
    import kill_campaign

    def late(count: int, seed: int, work: Path) -> Any:
        kills = [kill_campaign.Kill("training", "all", 0.0, 1, landed=k < at_least - 1) for k in range(count)]
        return kill_campaign.Outcome(kills)

    monkeypatch.setattr(kill_campaign, "campaign", late)
    monkeypatch.setattr("sys.argv", ["kill_campaign.py", *args])
    assert kill_campaign.main() == 1
    assert f"too few kills landed: {at_least - 1}, must be at least {at_least}" in capsys.readouterr().out


def test_a_torn_checkpoint_of_sac_is_seen(tmp_path: Path) -> None:
    import kill_checks

    sac_trainer().save(tmp_path / "model.zip")
    assert kill_checks.torn(tmp_path) == []
    (tmp_path / "model.zip").write_bytes((tmp_path / "model.zip").read_bytes()[:-100])
    assert [text.partition(":")[0] for text in kill_checks.torn(tmp_path)] == ["model.zip"]
