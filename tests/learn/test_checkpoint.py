import dataclasses
import pickle
import resource
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from genelab.config.agent import PpoCfg
from genelab.config.run import ExecutionCfg
from genelab.errors import InputError, RunError
from genelab.learn import checkpoint as checkpoints
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.rsl_rl import checkpoint as files
from genelab.learn.rsl_rl.backend import load_actor
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir


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


def test_equal_weights_give_equal_bytes_under_any_name(trained: Checkpoint, tmp_path: Path):
    files.save(tmp_path / "a.pt", trained)
    files.save(tmp_path / "some_other_name.pt", trained)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "some_other_name.pt").read_bytes()


def test_weights_hash_sees_names_types_shapes_and_bytes():
    base = {"a": torch.arange(4.0), "b": torch.ones(2)}
    digest = checkpoints.weights_sha256(base)
    assert digest == checkpoints.weights_sha256(dict(reversed(base.items())))
    others = [
        {"a": torch.arange(4.0), "c": torch.ones(2)},
        {"a": torch.arange(4.0).reshape(2, 2), "b": torch.ones(2)},
        {"a": torch.arange(4.0), "b": torch.ones(2).double()},
        {"a": torch.arange(4.0), "b": torch.tensor([1.0, 1.0000001])},
    ]
    assert digest not in {checkpoints.weights_sha256(other) for other in others}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_weights_are_neither_saved_nor_loaded(trained: Checkpoint, tmp_path: Path, value: float):
    path = tmp_path / "model.pt"
    files.save(path, trained)
    before = path.read_bytes()
    poisoned = {name: tensor.clone() for name, tensor in trained.critic.items()}
    poisoned["mlp.2.weight"][1, 1] = value
    with pytest.raises(RunError, match="critic tensor 'mlp.2.weight' holds non-finite"):
        files.save(path, dataclasses.replace(trained, critic=poisoned))
    assert path.read_bytes() == before
    checkpoints.save_tensors(path, {**torch.load(path, weights_only=True), "critic": poisoned})
    with pytest.raises(InputError, match="critic tensor 'mlp.2.weight' holds non-finite"):
        checkpoints.load(path)


def test_a_torn_file_is_refused_at_every_length(trained: Checkpoint, tmp_path: Path):
    files.save(tmp_path / "whole.pt", trained)
    data = (tmp_path / "whole.pt").read_bytes()
    torn = tmp_path / "torn.pt"
    for length in (0, 1, 100, len(data) // 2, len(data) - 1):
        torn.write_bytes(data[:length])
        with pytest.raises(InputError, match="torn or no checkpoint"):
            checkpoints.load(torn)


def test_a_flipped_byte_is_refused(trained: Checkpoint, tmp_path: Path):
    path = tmp_path / "model.pt"
    files.save(path, trained)
    with zipfile.ZipFile(path) as archive:
        member = max(archive.infolist(), key=lambda item: item.file_size)
    data = bytearray(path.read_bytes())
    data[member.header_offset + 400] ^= 0x01
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged|torn"):
        checkpoints.load(path)


class _Payload:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self):
        return (Path.touch, (self._marker,))


@pytest.mark.parametrize("plain_pickle", [True, False])
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, plain_pickle: bool):
    path, marker = tmp_path / "model.pt", tmp_path / "ran"
    if plain_pickle:
        path.write_bytes(pickle.dumps(_Payload(marker)))
    else:
        torch.save({"format": files.FORMAT, "actor": _Payload(marker)}, path)
    with pytest.raises(InputError, match="holds code|torn or no checkpoint"):
        checkpoints.load(path)
    assert not marker.exists()


def test_missing_and_foreign_files(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        checkpoints.load(tmp_path / "none.pt")
    torch.save({"actor_state_dict": {}}, tmp_path / "foreign.pt")
    with pytest.raises(InputError, match="no genelab checkpoint"):
        checkpoints.load(tmp_path / "foreign.pt")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("config_sha256", 7, "config_sha256 is no str"),
        ("iteration", "3", "iteration is no int"),
        ("layout", "{}", "layout is broken"),
        ("layout", '{"policy": [], "critic": []}', "layout is broken"),
        ("layout", '{"policy": [{"stop": "x"}], "critic": [{"stop": 8}]}', "layout has widths"),
        ("actor", [1, 2], "actor is no dict"),
        ("critic", {"mlp": 3}, "critic holds other things than tensors"),
        ("critic", {"": torch.full((2,), float("nan"))}, "critic holds other things than tensors"),
        ("critic", {"a\nb": torch.zeros(2)}, "critic holds other things than tensors"),
        ("iteration", -1, "its iteration is negative"),
        ("iteration", True, "its iteration is none"),
        ("config_sha256", "abc", "its config_sha256"),
    ],
)
def test_a_malformed_checkpoint_is_refused(trained: Checkpoint, tmp_path: Path, field: str, value: object, told: str):
    path = tmp_path / "model.pt"
    files.save(path, trained)
    data = torch.load(path, weights_only=True)
    torch.save({**data, field: value}, path)
    with pytest.raises(InputError, match=told):
        checkpoints.load(path)


def test_a_zip_with_the_member_of_the_other_trainer_goes_to_its_loader(
    trained: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = dataclasses.replace(trained, trainer="stable_baselines3")
    loaders = SimpleNamespace(checkpoint=SimpleNamespace(load=lambda _: other))
    monkeypatch.setitem(sys.modules, "genelab.learn.sb3", loaders)
    # Told by what the file is, not by what it is called.
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("genelab.json", "{}")
    assert checkpoints.load(path) is other
    files.save(path, trained)
    assert checkpoints.load(path).trainer == "rsl_rl"


def test_a_checkpoint_of_another_trainer_than_the_runs_is_one_line(trained: Checkpoint, tmp_path: Path):
    run_dir = RunDir.create(
        tmp_path / "seed_1",
        get_task("GeneLab-Inverted-Pendulum-v1"),
        seed=1,
        seeds_planned=(1,),
        command=(),
        overrides=(),
        execution=ExecutionCfg(),
    )
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


@pytest.mark.parametrize("tensors", [1, 2000])
def test_a_disk_that_fills_up_is_told_and_leaves_the_file_as_it_was(tmp_path: Path, tensors: int):
    path = tmp_path / "state.pt"
    checkpoints.save_tensors(path, {"a": torch.ones(1)})
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(RunError, match="cannot write '.*state.pt': file size limit exceeded"):
            checkpoints.save_tensors(path, {str(i): torch.zeros(2**20 // tensors) for i in range(tensors)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
