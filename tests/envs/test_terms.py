from pathlib import Path

import pytest

from genelab.config.base import Choice
from genelab.config.terms import ObservationTermCfg, RewardTermCfg, layout_row
from genelab.errors import InputError
from genelab.mdp.term import bind
from genelab.registry import get_task

FUNC = "tests.config.choosy:track"
ENV = get_task("GeneLab-Inverted-Pendulum-v1").env


def test_a_function_gets_what_was_chosen(tmp_path: Path) -> None:
    (tmp_path / "walk.npz").write_text("steps")
    clip = Choice(what="motion clip", kind="file")
    chosen = clip.choose(str(tmp_path / "walk.npz"))
    assert bind("t", RewardTermCfg(func=FUNC, weight=1.0, params={"clip": chosen, "speed": 2.0}), ENV)(None) == (
        "steps",
        2,
    )
    with pytest.raises(InputError, match=r"^t\.params\.clip must be chosen with --set \(file: motion clip\)$"):
        bind("t", RewardTermCfg(func=FUNC, weight=1.0, params={"clip": clip, "speed": 2.0}), ENV)
    (tmp_path / "walk.npz").write_text("other steps")
    with pytest.raises(InputError, match=r"^t\.params\.clip = .*changed since it was chosen"):
        bind("t", RewardTermCfg(func=FUNC, weight=1.0, params={"clip": chosen, "speed": 2.0}), ENV)


def test_the_layout_of_a_checkpoint_holds_plain_data() -> None:
    params = {"speed": Choice(what="speed, m/s", kind="number").choose(2), "joints": ["slider"]}
    row = layout_row("t", ObservationTermCfg(func=FUNC, params=params), 3, (["a", "b"], "rad"))
    speed = {"what": "speed, m/s", "kind": "number", "variable": None, "value": 2, "sha256": None}
    assert row["params"] == {"speed": speed, "joints": ["slider"]}
    assert (row["start"], row["stop"], row["columns"], row["unit"]) == (3, 5, ["a", "b"], "rad")
