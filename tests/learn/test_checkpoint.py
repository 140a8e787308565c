import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from genelab.config.agent import PpoCfg
from genelab.errors import InputError, RunError
from genelab.learn import checkpoint as checkpoints
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.rsl_rl import checkpoint as files
from genelab.learn.rsl_rl.backend import load_actor
from genelab.records.arrays import encode
from genelab.registry import get_task
from tests.records.factory import planned_run


def test_reload_gives_equal_weights_normaliser_and_hash(trained: Checkpoint, tmp_path: Path):
    files.save(tmp_path / "a.pt", trained)
    loaded = checkpoints.load(tmp_path / "a.pt")
    assert loaded.weights_sha256 == trained.weights_sha256
    assert (loaded.config_sha256, loaded.iteration, loaded.layout) == (
        trained.config_sha256,
        trained.iteration,
        trained.layout,
    )
    assert torch.equal(loaded.actor["obs_normalizer._mean"], trained.actor["obs_normalizer._mean"])
    assert loaded.actor["obs_normalizer.count"] == 500


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_weights_are_not_saved(trained: Checkpoint, tmp_path: Path, value: float):
    path = tmp_path / "model.pt"
    files.save(path, trained)
    before = path.read_bytes()
    poisoned = {name: tensor.clone() for name, tensor in trained.critic.items()}
    poisoned["mlp.2.weight"][1, 1] = value
    with pytest.raises(RunError, match="critic tensor 'mlp.2.weight' holds non-finite"):
        files.save(path, dataclasses.replace(trained, critic=poisoned))
    assert path.read_bytes() == before


class _Payload:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self):
        return (Path.touch, (self._marker,))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path):
    path, marker = tmp_path / "model.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(_Payload(marker)))
    with pytest.raises(InputError, match="torn or no safetensors file"):
        checkpoints.load(path)
    torch.save({"actor": _Payload(marker)}, path)
    with pytest.raises(InputError, match="of an earlier version of genelab or of another program: train again"):
        checkpoints.load(path)
    assert not marker.exists()


def test_missing_and_foreign_files(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        checkpoints.load(tmp_path / "none.pt")
    (tmp_path / "foreign.pt").write_bytes(encode("genelab/demos/2", {}, {}))
    with pytest.raises(InputError, match="has the schema 'genelab/demos/2', must be 'genelab/checkpoint/2'"):
        checkpoints.load(tmp_path / "foreign.pt")


def test_a_checkpoint_of_another_trainer_than_the_runs_is_one_line(trained: Checkpoint, tmp_path: Path):
    run_dir = planned_run(tmp_path / "seed_1", get_task("GeneLab-Inverted-Pendulum-v1"))
    path = run_dir.final_checkpoint
    files.save(path, trained)
    agent = run_dir.params / "agent.json"
    agent.write_text(agent.read_text().replace('"rsl_rl"', '"stable_baselines3"'))
    with pytest.raises(InputError) as caught:
        checkpoints.load_of_run(path, run_dir)
    told = f"checkpoint '{path}' was trained with rsl_rl, the run in '{run_dir.path}' with stable_baselines3"
    assert str(caught.value) == told


def test_weights_of_another_shape_name_the_tensor(trained: Checkpoint, ppo_cfg: PpoCfg):
    wider = ppo_cfg.model_copy(update={"actor": ppo_cfg.actor.model_copy(update={"hidden_dims": (64, 16)})})
    with pytest.raises(InputError, match=r"x.pt: actor tensor 'mlp.0.weight': shape \(32, 8\), the config needs \(64"):
        load_actor(trained, wider, 1, "x.pt")


def test_a_tensor_missing_or_too_many_is_told(trained: Checkpoint, ppo_cfg: PpoCfg):
    less = {name: tensor for name, tensor in trained.actor.items() if name != "mlp.0.weight"}
    with pytest.raises(InputError, match=r"x.pt: actor tensor 'mlp.0.weight': shape None, the config needs \(32, 8"):
        load_actor(dataclasses.replace(trained, actor=less), ppo_cfg, 1, "x.pt")
    more = {**trained.actor, "mo\x1bre": torch.zeros(1)}
    with pytest.raises(InputError, match=r"x.pt: actor tensor 'mo\\x1bre': shape \(1,\), the config needs None"):
        load_actor(dataclasses.replace(trained, actor=more), ppo_cfg, 1, "x.pt")


@pytest.mark.parametrize("change", [{"layout": None}, {"arrays": {"acto\x1br.mlp": torch.zeros(2).numpy()}}])
def test_a_malformed_checkpoint_is_refused(trained: Checkpoint, tmp_path: Path, change: dict[str, Any]):
    header = {name: value for name, value in trained.header.items() if name not in change}
    path = tmp_path / "model.pt"
    path.write_bytes(encode(files.SCHEMA, header, {**trained.arrays, **change.get("arrays", {})}))
    with pytest.raises(InputError, match="holds no whole checkpoint: KeyError") as caught:
        checkpoints.load(path)
    assert str(caught.value).isprintable()


def test_weights_of_another_type_name_the_tensor(trained: Checkpoint, ppo_cfg: PpoCfg):
    actor = {**trained.actor, "mlp.0.weight": trained.actor["mlp.0.weight"].double()}
    with pytest.raises(InputError, match=r"'mlp.0.weight': type torch.float64, the config needs torch.float32"):
        load_actor(dataclasses.replace(trained, actor=actor), ppo_cfg, 1, "x.pt")
