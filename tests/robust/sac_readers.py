"""Readers of what SAC leaves and takes: `model.zip` and demonstrations. See `readers.py`."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from genelab.config.agent import NetworkCfg, SacCfg
from genelab.learn import checkpoint as checkpoints
from genelab.learn.sb3.backend import load_actor
from genelab.learn.sb3.trainer import SacTrainer
from genelab.records.demos import SCHEMA, encode_demos, read_demos
from tests.franka_demos import demos
from tests.learn.sb3.point_mass import PointMass
from tests.robust import mutations

Draw = Callable[..., Any]
Parts = tuple[Path, Callable[[Draw], bytes], Callable[[bytes], object]]


class SacWorld:
    """A valid `model.zip` and a valid file of demonstrations."""

    def __init__(self, root: Path) -> None:
        torch.manual_seed(0)
        network = NetworkCfg(hidden_dims=(8,), activation="relu")
        self.agent = SacCfg(
            actor=network,
            critic=network,
            num_steps_per_env=1,
            batch_size=4,
            buffer_size=400,
            learning_starts=100,
            ent_coef=0.1,
            save_interval=1,
        )
        self.model = root / "model.zip"
        env: Any = PointMass()
        SacTrainer(self.agent, "a" * 64, env).save(self.model)
        self.demos = root / "demos.safetensors"
        self.demos.write_bytes(encode_demos(demos(num_envs=4)))


def sac_readers(world: SacWorld, canary: Path) -> dict[str, Parts]:
    """Each reader's file, how to damage it, and the reader with its judge."""
    model, file = world.model.read_bytes(), world.demos.read_bytes()
    return {
        "model.zip": (
            world.model,
            lambda draw: _damage_archive(draw, model, canary),
            lambda _: _read_model(world, canary),
        ),
        "demonstrations": (
            world.demos,
            lambda draw: mutations.change_file(draw, file, SCHEMA),
            lambda _: _read_demos(world.demos),
        ),
    }


def _damage_archive(draw: Draw, whole: bytes, canary: Path) -> bytes:
    if draw(mutations.rarely()):
        return mutations.change_bytes(draw, whole)
    return mutations.change_archive(draw, whole, canary)


def _read_model(world: SacWorld, canary: Path) -> None:
    """No code runs. Accepted: finite plain tensors that fit the network, or the network refuses them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = checkpoints.load(world.model)
        assert loaded.trainer == "stable_baselines3"
        assert type(loaded.iteration) is int
        assert loaded.iteration >= 0
        assert len(loaded.config_sha256) == 64
        for tensor in (*loaded.actor.values(), *loaded.critic.values()):
            assert torch.isfinite(tensor).all()
        assert len(loaded.weights_sha256) == 64
        load_actor(loaded, world.agent, 3, "model.zip")
    finally:
        assert not canary.exists()


def _read_demos(path: Path) -> None:
    """Accepted: arrays of the shapes that the header tells, which can be written and read again."""
    read = read_demos(path)
    rows, widths = len(read.actions), read.header.widths()
    assert {group: array.shape for group, array in read.observations.items()} == {
        group: (rows, width) for group, width in widths.items()
    }
    if read.header.collection is not None:
        assert read.transitions is not None
        assert read.header.collection.num_envs * read.header.collection.steps == rows
        assert read.transitions.rewards.shape == (rows,)
        assert (read.transitions.terminated | read.transitions.truncated)[-1]
    path.write_bytes(encode_demos(read))
    assert read_demos(path).header == read.header
