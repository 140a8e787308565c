from typing import get_args

import pytest
import torch
from tensordict import TensorDict

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy, Layout
from genelab.learn.rsl_rl.backend import load_actor
from genelab.learn.rsl_rl.networks import build_actor, build_critic


def test_the_normaliser_is_frozen_in_evaluation(trained: Checkpoint, ppo_cfg: PpoCfg):
    actor = load_actor(trained, ppo_cfg, 1, "x.pt")
    policy = DeterministicPolicy(actor, torch.device("cpu"), ("policy",))
    rows = torch.randn(40, 8) * 100
    first = policy({"policy": rows})
    actor.update_normalization(TensorDict({"policy": rows}, batch_size=[40]))
    assert torch.equal(policy({"policy": rows}), first)
    assert torch.equal(actor.state_dict()["obs_normalizer._mean"], trained.actor["obs_normalizer._mean"])


@pytest.mark.parametrize("name", get_args(NetworkCfg.model_fields["activation"].annotation))
def test_every_activation_that_a_config_may_name_is_built(name: str, ppo_cfg: PpoCfg):
    wide = ppo_cfg.actor.model_copy(update={"activation": name})
    cfg = ppo_cfg.model_copy(update={"actor": wide, "critic": wide, "normalization": "fixed"})
    for network in (build_actor(cfg, _with_bounds(), 1), build_critic(cfg, _with_bounds())):
        assert name in {type(layer).__name__.lower() for layer in network.mlp}


def _with_bounds() -> Layout:
    rows = [
        {"name": "angle", "start": 0, "stop": 2, "scale": 0.5, "bounds": [[-1.0, 3.0], [0.0, 0.1]]},
        {"name": "speed", "start": 2, "stop": 3, "scale": 10.0, "bounds": [[-4.0, -2.0]]},
    ]
    return {"policy": rows, "critic": rows}


def test_fixed_normalisation_maps_the_bounds_to_one_and_clips_nothing(ppo_cfg: PpoCfg):
    actor = build_actor(ppo_cfg.model_copy(update={"normalization": "fixed"}), _with_bounds(), 1)
    values = torch.tensor([[-1.0, 0.0, -4.0], [3.0, 0.1, -2.0], [1.0, 0.05, -3.0], [5.0, 0.2, 0.0]])
    observation = values * torch.tensor([0.5, 0.5, 10.0])
    expected = torch.tensor([[-1.0] * 3, [1.0] * 3, [0.0] * 3, [2.0, 3.0, 3.0]])
    torch.testing.assert_close(actor.obs_normalizer(observation), expected, rtol=0, atol=1e-5)


def test_fixed_bounds_have_no_copy_among_the_weights(ppo_cfg: PpoCfg):
    fixed = ppo_cfg.model_copy(update={"normalization": "fixed"})
    layout = _with_bounds()
    actor = build_actor(fixed, layout, 1)
    assert [name for name in actor.state_dict() if "normali" in name] == []
    # So that the only bounds a checkpoint has are those of its layout, which evaluation compares with the snapshot's.
    checkpoint = Checkpoint("a" * 64, 1, layout, actor.state_dict(), build_critic(fixed, layout).state_dict())
    rows = torch.randn(5, 3)
    loaded = load_actor(checkpoint, fixed, 1, "x.pt")
    assert torch.equal(loaded.obs_normalizer(rows), actor.obs_normalizer(rows))


def test_weights_under_another_kind_of_normalisation_are_refused(trained: Checkpoint, ppo_cfg: PpoCfg):
    with pytest.raises(InputError, match="obs_normalizer"):
        load_actor(trained, ppo_cfg.model_copy(update={"normalization": "none"}), 1, "x.pt")
