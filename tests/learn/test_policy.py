import pytest
import torch
from tensordict import TensorDict

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy, build_actor, load_actor
from tests.learn.conftest import layout_of_width


@pytest.mark.parametrize("hidden_dims", [(128, 128), (256, 128)])
def test_an_action_does_not_depend_on_how_many_environments_run(hidden_dims: tuple[int, ...]):
    torch.manual_seed(1)
    network = NetworkCfg(hidden_dims=hidden_dims)
    actor = build_actor(PpoCfg(actor=network, critic=network, save_interval=1), layout_of_width(10), 2)
    policy = DeterministicPolicy(actor, torch.device("cpu"))
    rows = torch.randn(203, 10)
    whole = policy({"policy": rows})
    assert whole.shape == (203, 2)
    for count in (1, 7, 16, 64, 100):
        assert torch.equal(policy({"policy": rows[:count]}), whole[:count])
    order = torch.randperm(203)
    assert torch.equal(policy({"policy": rows[order]}), whole[order])


def test_the_normaliser_is_frozen_in_evaluation(trained: Checkpoint, ppo_cfg: PpoCfg):
    actor = load_actor(trained, ppo_cfg, 1, "x.pt")
    policy = DeterministicPolicy(actor, torch.device("cpu"))
    rows = torch.randn(40, 8) * 100
    first = policy({"policy": rows})
    actor.update_normalization(TensorDict({"policy": rows}, batch_size=[40]))
    assert torch.equal(policy({"policy": rows}), first)
    assert torch.equal(actor.state_dict()["obs_normalizer._mean"], trained.actor["obs_normalizer._mean"])
