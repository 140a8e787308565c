from pathlib import Path

import pytest
import torch

from genelab.config.agent import SacCfg
from genelab.jobs.trainer import load_training_state
from genelab.learn import checkpoint as checkpoints
from genelab.learn.backend import backend_of
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.protocol import Backend
from genelab.learn.sb3.trainer import SacTrainer
from genelab.learn.state import load_state, save_state
from genelab.records.contract import input_names
from tests.learn.sb3.point_mass import GROUPS, PointMass


@pytest.fixture
def trainer(sac_cfg: SacCfg) -> SacTrainer:
    return SacTrainer(sac_cfg, "b" * 64, PointMass())


@pytest.fixture
def backend(sac_cfg: SacCfg) -> Backend:
    return backend_of(sac_cfg)


def test_it_names_the_groups_that_the_policy_reads_in_their_order(backend: Backend, sac_cfg: SacCfg):
    assert input_names(sac_cfg) == sac_cfg.actor_groups
    assert input_names(sac_cfg.model_copy(update={"her": None})) == ("obs",)
    assert backend.final_observations


def test_networks_are_those_of_the_checkpoint_and_normalise_nothing(
    backend: Backend, trainer: SacTrainer, sac_cfg: SacCfg, tmp_path: Path
):
    trainer.save(tmp_path / "model.zip")
    checkpoint = checkpoints.load(tmp_path / "model.zip")
    loaded = backend.networks(sac_cfg, checkpoint.layout, 3, checkpoint, "here")
    assert loaded.normalizers == dict.fromkeys(GROUPS)
    assert backend.action_std(checkpoint) is None
    observations = {name: torch.randn(40, dim) for name, dim in GROUPS.items()}
    first, second = (
        DeterministicPolicy(actor, torch.device("cpu"), sac_cfg.actor_groups)
        for actor in (loaded.actor, trainer.actor())
    )
    assert torch.equal(first(observations), second(observations))
    # As the export calls it: one tensor for each of the groups that the policy reads, in their order.
    inputs = [observations[group] for group in sac_cfg.actor_groups]
    torch.testing.assert_close(backend.deployable(loaded.actor)(*inputs), first(observations))
    fresh = backend.networks(sac_cfg, checkpoint.layout, 3, None, "here").actor
    assert not torch.equal(fresh(observations), loaded.actor(observations))


def test_the_state_of_a_training_whose_buffer_has_grown_is_taken_up(
    trainer: SacTrainer, sac_cfg: SacCfg, tmp_path: Path
):
    """As a worker does: from a file, with a trainer that has collected nothing."""
    path = tmp_path / "state"
    trainer.iterate()
    save_state(path, "x", trainer.state_dict())
    resumed = SacTrainer(sac_cfg, "b" * 64, PointMass())
    load_training_state(resumed, load_state(path, "x"), path)
    assert (resumed.iteration, resumed.buffer.drawable) == (1, trainer.buffer.drawable)
    assert resumed.checkpoint().weights_sha256 == trainer.checkpoint().weights_sha256
