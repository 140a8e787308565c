"""What a probe measures, on velocities that are known."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genelab.config.task import ProbeCfg
from genelab.errors import DivergedError
from genelab.evaluation.probe import measure
from genelab.families.velocity.terms import achieved

CFG = ProbeCfg(
    command="velocity",
    achieved="genelab.families.velocity.terms:achieved",
    columns=("x", "y", "turn"),
    cases={"left": (0.0, 0.5, 0.0)},
    num_envs=1,
    warm_up_steps=2,
    measured_steps=3,
)
COMMANDS = torch.tensor([[0.8, 0.0, 0.0], [0.0, -0.8, 0.0], [0.0, 0.0, 1.0]])


class _Known:
    """Velocities (t, 10 t, 100 t) in step t = 0, 1, ...; the second robot falls in step 1, and lies."""

    def __init__(self, breaks_at: int = -1) -> None:
        self.steps = 0
        self._breaks_at = breaks_at

    def reset(self) -> dict[str, torch.Tensor]:
        return {"policy": torch.zeros(3, 1)}

    def step(self, action: torch.Tensor) -> Any:
        fell = torch.tensor([False, self.steps == 1, False])
        broken = torch.tensor([False, False, self.steps == self._breaks_at])
        self.steps += 1
        return SimpleNamespace(observations=self.reset(), terminated=fell, broken=broken)

    def state(self) -> Any:
        t = float(self.steps - 1)
        linear, angular = torch.tensor([[t, 10.0 * t, 7.0]] * 3), torch.tensor([[8.0, 9.0, 100.0 * t]] * 3)
        return SimpleNamespace(floating=SimpleNamespace(lin_vel_b=linear, ang_vel_b=angular))


def test_each_case_is_measured_by_its_own_component_after_the_warm_up() -> None:
    env = _Known()
    reached, fell = measure(env, lambda observations: observations["policy"], COMMANDS, CFG, achieved)  # type: ignore[arg-type]
    assert env.steps == 5
    # Steps 2, 3 and 4.
    assert reached.tolist() == pytest.approx([3.0, 30.0, 300.0])
    # A fall before the measurement counts.
    assert fell.tolist() == [False, True, False]


def test_a_state_that_breaks_is_an_error() -> None:
    with pytest.raises(DivergedError, match="the state of environment 2 broke"):
        measure(_Known(breaks_at=3), lambda o: o["policy"], COMMANDS, CFG, achieved)  # type: ignore[arg-type]
