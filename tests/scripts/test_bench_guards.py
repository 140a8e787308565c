"""That the benchmark of the guards clocks what each trainer really calls."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch

from genelab.envs.environment import Environment
from tests.robust.state_readers import ppo_trainer, sac_trainer

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.parametrize("make", [ppo_trainer, sac_trainer])
def test_every_guard_of_a_trainer_is_clocked(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from bench_guards import clocked, guards_of

    trainer = make()
    guards = guards_of(trainer)
    called: dict[str, float] = defaultdict(float)
    for functions in guards.values():
        for owner, attribute in functions:
            name = f"{owner.__name__}.{attribute}"
            monkeypatch.setattr(owner, attribute, clocked(getattr(owner, attribute), name, called, torch.device("cpu")))
    # SAC updates once 100 transitions of 4 environments, 4 steps an iteration, are stored.
    for _ in range(8):
        trainer.iterate()
    expected = {f"{owner.__name__}.{attribute}" for functions in guards.values() for owner, attribute in functions}
    # The point mass has no physics of its own.
    assert expected - set(called) == {"Environment._broken"}
    assert all(seconds > 0.0 for seconds in called.values())


def test_only_the_second_look_of_a_step_is_clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from bench_guards import SECOND_LOOK, second_look_clocked

    monkeypatch.setattr(Environment, "_observe", lambda *_: "seen")
    monkeypatch.setattr(Environment, "_reward", lambda self: self._observe() if self.resets_broken else None)
    env: Any = Environment.__new__(Environment)
    spent: dict[str, float] = defaultdict(float)
    with second_look_clocked(spent, torch.device("cpu")):
        env.resets_broken = False
        assert env._reward() is None
        assert env._observe() == "seen"
        assert not spent
        env.resets_broken = True
        assert env._reward() == "seen"
    assert spent.keys() == {SECOND_LOOK}
