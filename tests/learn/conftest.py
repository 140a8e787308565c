import pytest
import torch

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import Layout
from genelab.learn.rsl_rl.networks import build_actor, build_critic


def layout_of_width(width: int) -> Layout:
    """One term per group."""
    return {group: [{"name": "all", "start": 0, "stop": width}] for group in ("policy", "critic")}


@pytest.fixture
def ppo_cfg() -> PpoCfg:
    network = NetworkCfg(hidden_dims=(32, 16))
    return PpoCfg(actor=network, critic=network, save_interval=1)


@pytest.fixture
def trained(ppo_cfg: PpoCfg) -> Checkpoint:
    """A checkpoint with random weights and a normaliser that is not the identity."""
    torch.manual_seed(0)
    layout = layout_of_width(8)
    actor, critic = build_actor(ppo_cfg, layout, 1), build_critic(ppo_cfg, layout)
    for model in (actor, critic):
        model.train()
        model.obs_normalizer.update(torch.randn(500, 8) * 3 + 1)  # pyright: ignore
    return Checkpoint("a" * 64, 3, layout, actor.state_dict(), critic.state_dict())
