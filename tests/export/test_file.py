"""The policy file: one file, any batch, the same actions, nothing of this machine."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from genelab.export import onnx, torchscript
from genelab.export.export import FORMATS
from genelab.learn import checkpoint as checkpoints
from genelab.learn.rsl_rl.backend import deployable, load_actor
from genelab.records.export import ExportFormat
from genelab.runs.run_dir import RunDir

from .conftest import Exported, MakeRun, make_checkpoint

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.slow]

WIDTHS = {"obs": 8}
LOAD = {"torchscript": torchscript.load, "onnx": onnx.load}

WITHOUT_GENELAB = """
import json, sys
import numpy as np, onnx, onnxruntime

path, rows, wanted = sys.argv[1], np.load(sys.argv[2]), np.load(sys.argv[3])
onnx.checker.check_model(path, full_check=True)
contract = json.load(open(path + ".metadata.json"))
spec, terms = contract["observation"]["input"], contract["observation"]["terms"]
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
(given,), (returned,) = session.get_inputs(), session.get_outputs()
assert (given.name, given.shape, given.type) == (spec["name"], spec["shape"], "tensor(float)"), given
assert (returned.name, returned.shape) == (contract["action"]["output"]["name"], ["batch", 1]), returned
for size in (1, 7, len(rows)):
    values = rows[:size]
    inputs = np.empty_like(values)
    for term in terms:
        columns = slice(term["start"], term["stop"])
        inputs[:, columns] = term["scale"] * values[:, columns]
    (actions,) = session.run([returned.name], {given.name: inputs})
    assert actions.shape == (size, 1), actions.shape
    np.testing.assert_allclose(actions, wanted[:size], atol=1e-5)
assert not {"torch", "genelab"} & set(sys.modules)
"""


def by_hand(run_dir: RunDir, rows: torch.Tensor) -> np.ndarray:
    """The mean action from the tensors of the checkpoint, in numpy and double precision."""
    actor = {name: t.double().numpy() for name, t in checkpoints.load(run_dir.final_checkpoint).actor.items()}
    hidden = rows.double().numpy()
    if "obs_normalizer._mean" in actor:
        hidden = (hidden - actor["obs_normalizer._mean"]) / (actor["obs_normalizer._std"] + 0.01)
    for layer in (0, 2, 4):
        hidden = hidden @ actor[f"mlp.{layer}.weight"].T + actor[f"mlp.{layer}.bias"]
        hidden = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0))) if layer < 4 else hidden
    return hidden


@pytest.mark.parametrize("file_format", [*FORMATS])
def test_one_file_acts_as_the_formulas_say_in_any_batch(
    file_format: ExportFormat, exported: Exported, run_dir: RunDir, observations: torch.Tensor
):
    path = exported(file_format)
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, f"{path.name}.metadata.json"]
    policy, wanted = LOAD[file_format](path), by_hand(run_dir, observations)
    for size in (1, 7, len(observations)):
        found = policy(observations[:size])
        assert (found.shape, found.dtype) == ((size, 1), torch.float32)
        np.testing.assert_allclose(found.numpy(), wanted[:size], atol=1e-5)
    assert np.ptp(wanted) > 0.1


@pytest.mark.parametrize("file_format", [*FORMATS])
def test_a_policy_without_normaliser(
    file_format: ExportFormat, make_run: MakeRun, observations: torch.Tensor, tmp_path: Path
):
    run_dir = make_run(tmp_path / "seed_5", normalization="none")
    task = run_dir.task()
    actor = load_actor(checkpoints.load(run_dir.final_checkpoint), task.agent, 1, "x")
    path = tmp_path / "policy"
    path.write_bytes(FORMATS[file_format].serialise(deployable(actor), WIDTHS))
    found = LOAD[file_format](path)(observations)
    np.testing.assert_allclose(found.numpy(), by_hand(run_dir, observations), atol=1e-5)


def test_onnx_needs_neither_torch_nor_genelab(
    exported: Exported, run_dir: RunDir, observations: torch.Tensor, tmp_path: Path
):
    path = exported("onnx")
    scale = torch.tensor([1.0, 1.0, 0.1, 0.1, 0.2, 0.2, 0.2, 1.0])
    np.save(tmp_path / "values.npy", (observations / scale).numpy())
    np.save(tmp_path / "wanted.npy", by_hand(run_dir, observations))
    arguments = [str(path), str(tmp_path / "values.npy"), str(tmp_path / "wanted.npy")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_GENELAB, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file_format", [*FORMATS])
def test_the_file_names_no_place_of_this_machine(file_format: ExportFormat, exported: Exported):
    path = exported(file_format)
    places = {sys.prefix, str(Path.cwd()), str(Path(onnx.__file__).parents[2]), tempfile.gettempdir()}
    for file in path.parent.iterdir():
        data = file.read_bytes()
        assert not [place for place in places if place.encode() in data]


def test_equal_weights_give_equal_onnx_bytes(exported: Exported, run_dir: RunDir, observations: torch.Tensor):
    task = run_dir.task()
    actor = load_actor(make_checkpoint(task, observations), task.agent, 1, "x")
    other = load_actor(make_checkpoint(task, observations, weights_seed=2), task.agent, 1, "x")
    data, others = (onnx.serialise(deployable(each), WIDTHS) for each in (actor, other))
    assert data == exported("onnx").read_bytes() != others
