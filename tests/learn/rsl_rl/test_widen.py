"""A network that reads more than the one its weights come from."""

from typing import Any, Literal

import pytest
import torch
from tensordict import TensorDict
from torch import Tensor

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.errors import InputError
from genelab.learn.policy import load_weights
from genelab.learn.rsl_rl.networks import build_actor
from genelab.learn.rsl_rl.widen import FIRST_LAYER, kept_columns, widened

Row = dict[str, Any]


def _row(name: str, start: int, stop: int, **more: object) -> Row:
    bounds = [[-2.0, 2.0]] * (stop - start)
    return {
        "name": name,
        "start": start,
        "stop": stop,
        "scale": 1.0,
        "func": name,
        "params": {},
        "bounds": bounds,
        **more,
    }


NARROW: list[Row] = [_row("speed", 0, 3), _row("command", 3, 5)]
WIDE: list[Row] = [_row("speed", 0, 3), _row("scan", 3, 7), _row("command", 7, 9)]
KEPT = [0, 1, 2, 7, 8]


def _observe(seen: Tensor) -> TensorDict:
    return TensorDict({"policy": seen}, batch_size=[seen.shape[0]])


def test_columns_are_found_wherever_the_new_terms_stand() -> None:
    assert kept_columns(WIDE, NARROW, ["scan"]) == KEPT
    assert kept_columns(NARROW, NARROW, []) == [0, 1, 2, 3, 4]


def test_frames_of_a_history_keep_their_age() -> None:
    wide = [{**row, "age": age, "start": row["start"] + 9 * (1 - age), "stop": row["stop"] + 9 * (1 - age)}
            for age in (1, 0) for row in WIDE]  # fmt: skip
    narrow = [{**row, "age": age, "start": row["start"] + 5 * (1 - age), "stop": row["stop"] + 5 * (1 - age)}
              for age in (1, 0) for row in NARROW]  # fmt: skip
    assert kept_columns(wide, narrow, ["scan"]) == [*KEPT, *(9 + column for column in KEPT)]


@pytest.mark.parametrize(
    "other", [_row("speed", 0, 3, scale=2.0), _row("speed", 0, 3, params={"joints": ["hip"]}), _row("pace", 0, 3)]
)
def test_a_layout_that_differs_otherwise_does_not_fit(other: Row) -> None:
    assert kept_columns(WIDE, [other, NARROW[1]], ["scan"]) is None
    assert kept_columns(WIDE, NARROW, []) is None


@pytest.mark.parametrize("normalization", ["running", "fixed", "none"])
def test_the_policy_acts_as_before_whatever_the_new_columns_hold(
    normalization: Literal["running", "fixed", "none"],
) -> None:
    torch.manual_seed(0)
    cfg = PpoCfg(
        actor=NetworkCfg(hidden_dims=(16, 8)),
        critic=NetworkCfg(hidden_dims=(8,)),
        normalization=normalization,
        save_interval=1,
    )
    narrow, wide = (build_actor(cfg, {"policy": rows}, 2) for rows in (NARROW, WIDE))
    if normalization == "running":
        narrow.train()
        narrow.update_normalization(_observe(3.0 + torch.randn(500, 5)))
    load_weights(wide, widened(dict(narrow.state_dict()), wide, KEPT), "parent: actor")
    narrow.eval()
    wide.eval()
    seen = torch.randn(32, 9)
    expected = narrow(_observe(seen[:, KEPT]))
    assert expected.std() > 0.0
    torch.testing.assert_close(wide(_observe(seen)), expected, rtol=0.0, atol=1e-6)
    # Zero weights learn all the same.
    wide(_observe(seen)).square().sum().backward()
    gradient = dict(wide.named_parameters())[FIRST_LAYER].grad
    assert gradient is not None
    assert gradient[:, 3:7].abs().min() > 0.0


def test_weights_of_another_network_are_still_refused() -> None:
    cfg = PpoCfg(actor=NetworkCfg(hidden_dims=(16, 8)), critic=NetworkCfg(hidden_dims=(8,)), save_interval=1)
    wide = build_actor(cfg, {"policy": WIDE}, 2)
    for tensors in ({}, {FIRST_LAYER: torch.zeros(16, 4)}, {FIRST_LAYER: torch.zeros(12, 5)}):
        with pytest.raises(InputError, match="parent: actor tensor"):
            load_weights(wide, widened(tensors, wide, KEPT), "parent: actor")
