import base64
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC, HerReplayBuffer

from genelab.config.agent import SacCfg
from genelab.errors import DivergedError, InputError
from genelab.learn import checkpoint as checkpoints
from genelab.learn.sb3 import backend
from genelab.learn.sb3 import checkpoint as files
from genelab.learn.sb3.trainer import SacTrainer
from tests.learn.sb3.point_mass import GROUPS, PointMass
from tests.learn.sb3.vec_env import GoalVecEnv


def _trained(cfg: SacCfg, iterations: int = 2) -> SacTrainer:
    torch.manual_seed(1)
    trainer = SacTrainer(cfg, "b" * 64, PointMass())
    for _ in range(iterations):
        trainer.iterate()
    return trainer


@pytest.fixture
def trainer(sac_cfg: SacCfg) -> SacTrainer:
    return _trained(sac_cfg)


@pytest.fixture(scope="module")
def whole(sac_cfg: SacCfg, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "model.zip"
    _trained(sac_cfg).save(path)
    return path.read_bytes()


@pytest.fixture
def saved(whole: bytes, tmp_path: Path) -> Path:
    """The file of a training."""
    path = tmp_path / "model.zip"
    path.write_bytes(whole)
    return path


def _observations(rows: int = 30) -> dict[str, torch.Tensor]:
    return {name: torch.randn(rows, dim) for name, dim in GROUPS.items()}


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _saved(tensors: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(tensors, stream)
    return stream.getvalue()


def test_a_saved_policy_is_that_of_the_training(trainer: SacTrainer, sac_cfg: SacCfg, tmp_path: Path):
    path = tmp_path / "model.zip"
    saved = trainer.save(path)
    loaded = checkpoints.load(path)
    assert (loaded.config_sha256, loaded.iteration, loaded.layout) == ("b" * 64, 2, trainer.env.layout())
    assert loaded.trainer == saved.trainer == trainer.checkpoint().trainer == "stable_baselines3"
    assert loaded.weights_sha256 == saved.weights_sha256 == trainer.checkpoint().weights_sha256
    assert loaded.weights_sha256 != _trained(sac_cfg, 1).checkpoint().weights_sha256
    assert {name.split(".")[0] for name in loaded.critic} == {"critic", "critic_target"}
    actor = backend.load_actor(loaded, sac_cfg, 3, "model.zip")
    observations = _observations()
    expected, _ = trainer.model.predict({n: v.numpy() for n, v in observations.items()}, deterministic=True)
    with torch.no_grad():
        actions = actor(observations)
        assert torch.equal(actions, trainer.actor()(observations))
        assert torch.equal(actions, backend.deployable(actor)(**observations))
    np.testing.assert_allclose(actions.numpy(), expected, atol=1e-6)
    assert actions.abs().max() > 0.1
    assert not actor.training


def test_stable_baselines3_opens_it(trainer: SacTrainer, tmp_path: Path):
    path = tmp_path / "model.zip"
    trainer.save(path)
    model = SAC.load(path, env=GoalVecEnv(PointMass()), buffer_size=400, device="cpu")
    assert type(model.replay_buffer) is HerReplayBuffer
    assert (model.num_timesteps, model.batch_size, model.seed) == (200, 64, None)
    observations = {n: v.numpy() for n, v in _observations().items()}
    expected, _ = trainer.model.predict(observations, deterministic=True)
    actions, _ = model.predict(observations, deterministic=True)
    np.testing.assert_array_equal(actions, expected)
    model.learning_starts = 300  # The buffer is empty.
    model.learn(200, reset_num_timesteps=False)
    assert model.num_timesteps == 400


def test_equal_trainings_give_equal_files_of_the_policy_alone(sac_cfg: SacCfg, tmp_path: Path):
    for name in ("a.zip", "b.zip"):
        _trained(sac_cfg).save(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    data = json.loads(_members(tmp_path / "a.zip")["data"])
    absent = {"env", "replay_buffer", "reward_range", "guard", "metrics", "sample_s", "_last_obs_cache"}
    assert not absent & set(data)
    assert b"genelab" not in _members(tmp_path / "a.zip")["data"]
    pickled = [v[":serialized:"] for v in data.values() if isinstance(v, dict) and ":serialized:" in v]
    assert len(pickled) > 3
    assert not any(b"genelab" in base64.b64decode(text) for text in pickled)


def test_saving_leaves_the_training_as_it_was(sac_cfg: SacCfg, tmp_path: Path):
    one, other = _trained(sac_cfg), _trained(sac_cfg)
    before = torch.get_rng_state()
    other.save(tmp_path / "model.zip")
    other.actor()
    assert torch.equal(torch.get_rng_state(), before)
    rows: list[Any] = []
    for trainer in (one, other):
        torch.set_rng_state(before)
        rows.append(trainer.iterate()["loss/critic"])
    assert rows[0] == rows[1]
    assert one.checkpoint().weights_sha256 == other.checkpoint().weights_sha256


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_weights_are_not_saved(trainer: SacTrainer, tmp_path: Path, value: float):
    path = tmp_path / "model.zip"
    trainer.save(path)
    before = path.read_bytes()
    trainer.model.critic_target.qf1[2].weight.data[1, 1] = value
    with pytest.raises(DivergedError, match=r"critic tensor 'critic_target.qf1.2.weight' holds non-finite"):
        trainer.save(path)
    assert path.read_bytes() == before


class _Payload:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self):
        return (Path.touch, (self._marker,))


def test_code_in_any_member_does_not_run(saved: Path, tmp_path: Path):
    path, marker = saved, tmp_path / "ran"
    whole = checkpoints.load(path)
    members = _members(path)
    text = base64.b64encode(cloudpickle.dumps(_Payload(marker))).decode()
    data = {**json.loads(members["data"]), "policy_class": {":type:": "x", ":serialized:": text}}
    _write(
        path, {**members, "data": json.dumps(data).encode(), "pytorch_variables.pth": pickle.dumps(_Payload(marker))}
    )
    assert checkpoints.load(path).weights_sha256 == whole.weights_sha256
    assert not marker.exists()
    # The file does what it says to who runs it.
    with pytest.raises(pickle.UnpicklingError):
        SAC.load(path, env=GoalVecEnv(PointMass()), buffer_size=400)
    assert marker.exists()
    marker.unlink()
    for weights in (pickle.dumps(_Payload(marker)), _saved({"actor.mu.weight": _Payload(marker)})):
        _write(path, {**members, "policy.pth": weights})
        with pytest.raises(InputError, match="holds code|torn or no checkpoint"):
            checkpoints.load(path)
    assert not marker.exists()


def test_a_torn_file_and_a_flipped_byte_are_refused(saved: Path, tmp_path: Path):
    path = saved
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("policy.pth").header_offset
    for length in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        # A torn end may leave a member that is a whole zip itself as the last one.
        with pytest.raises(InputError, match="torn or no checkpoint|no member"):
            files.load(path)
    flipped = bytearray(data)
    flipped[offset + 3000] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(InputError, match="torn or no checkpoint"):
        files.load(path)
    with pytest.raises(InputError, match="does not exist"):
        checkpoints.load(tmp_path / "none.zip")


def _told(change: dict[str, Any]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda m: {**m, "genelab.json": json.dumps({**json.loads(m["genelab.json"]), **change}).encode()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: {n: d for n, d in m.items() if n != "genelab.json"},
            "of an earlier version of genelab or of another program",
        ),
        (lambda m: {n: d for n, d in m.items() if n != "policy.pth"}, "torn or no checkpoint: .*'policy.pth'"),
        (lambda m: {**m, "genelab.json": b"{"}, "torn or no checkpoint"),
        (lambda m: {**m, "genelab.json": b"[1]"}, "torn or no checkpoint"),
        (lambda m: {**m, "genelab.json": b"[" * 99999}, "torn or no checkpoint"),
        (lambda m: {**m, "policy.pth": _saved([torch.zeros(1)])}, "torn or no checkpoint"),
        (lambda m: {**m, "policy.pth": _saved({0: torch.zeros(1)})}, "torn or no checkpoint"),
        (_told({"format": "genelab/checkpoint/1"}), "its format is not"),
        (_told({"format": None}), "its format is not"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_line(
    saved: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]], message: str
):
    _write(saved, change(_members(saved)))
    with pytest.raises(InputError, match=message) as caught:
        files.load(saved)
    assert "\n" not in str(caught.value)


def test_what_claims_to_unpack_to_too_much_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2**25))
    assert len(inner.getvalue()) < 2**16
    monkeypatch.setattr(files, "LARGEST", 2**24)
    members = _members(saved)
    _write(saved, {**members, "policy.pth": inner.getvalue()})
    with pytest.raises(InputError, match="claims to unpack to 33554432 bytes, must be at most 16777216"):
        checkpoints.load(saved)
    _write(saved, {**members, "genelab.json": b" " * 2**25})
    with pytest.raises(InputError, match="claims to unpack to"):
        checkpoints.load(saved)
