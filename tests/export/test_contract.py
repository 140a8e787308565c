"""The contract says what the configuration and the checkpoint say."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import torch
from pydantic import ValidationError

from genelab.config.snapshot import config_sha256, load_task
from genelab.export.export import export_policy, metadata_path
from genelab.learn import checkpoint as checkpoints
from genelab.learn.rsl_rl.checkpoint import save
from genelab.records.export import ExportFormat, ExportRecord, ObservationSlice, TensorSpec
from genelab.records.files import read_record
from genelab.records.schema import json_schemas
from genelab.runs.run_dir import RunDir

from .conftest import TASK, Exported, MakeRun, make_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

FORMATS = ("torchscript", pytest.param("onnx", marks=pytest.mark.slow))


def contract_of(path: Path) -> ExportRecord:
    return read_record(metadata_path(path), ExportRecord)


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_file_follows_the_published_schema(file_format: ExportFormat, exported: Exported):
    data = json.loads(metadata_path(exported(file_format)).read_text())
    jsonschema.validate(data, json.loads(json_schemas()["export.schema.json"]))
    assert data["schema"] == "genelab/export/2"


@pytest.mark.parametrize("file_format", FORMATS)
def test_hashes_and_origin(file_format: ExportFormat, exported: Exported, run_dir: RunDir):
    path = exported(file_format)
    found, run = contract_of(path), run_dir.load()
    data, model = path.read_bytes(), run_dir.final_checkpoint.read_bytes()
    assert (found.task, found.task_version, found.seed) == (TASK, 1, 5)
    assert found.config_sha256 == run.config_sha256
    assert found.file.model_dump() == {
        "name": path.name,
        "format": file_format,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    assert found.checkpoint.model_dump() == {
        "path": "model_final.pt",
        "sha256": hashlib.sha256(model).hexdigest(),
        "bytes": len(model),
        "weights_sha256": checkpoints.load(run_dir.final_checkpoint).weights_sha256,
        "iteration": 150,
    }


@pytest.mark.parametrize("file_format", FORMATS)
def test_observation_action_and_timing(file_format: ExportFormat, exported: Exported, run_dir: RunDir):
    found, env = contract_of(exported(file_format)), run_dir.task().env
    assert found.observation.input == TensorSpec(name="obs", dtype="float32", shape=("batch", 8))
    assert (found.observation.noise, found.observation.normalization) == ("none", "running")
    terms = env.observations["policy"].terms
    assert [term.name for term in found.observation.terms] == list(terms)
    assert [(term.start, term.stop) for term in found.observation.terms] == [(0, 2), (2, 4), (4, 7), (7, 8)]
    for term in found.observation.terms:
        cfg = terms[term.name]
        assert (term.scale, term.training_noise, term.func, term.params) == (cfg.scale, cfg.noise, cfg.func, cfg.params)
    columns = [("slider", "hinge"), ("slider", "hinge"), ("x", "y", "z"), ("slider",)]
    assert [term.columns for term in found.observation.terms] == columns
    assert [term.unit for term in found.observation.terms] == ["m or rad", "m/s or rad/s", "rad/s", ""]
    assert found.observation.terms[2].meaning == "Angular velocity of a link in its own frame, rad/s."

    assert found.action.output == TensorSpec(name="actions", dtype="float32", shape=("batch", 1))
    assert found.action.constants == {"scale": [1.0]}
    (joint,) = found.action.joints
    assert (joint.name, joint.default_pos, joint.range) == ("slider", 0.0, (-3.0, 3.0))
    assert (joint.kp, joint.kv, joint.effort_limit) == (80.0, 8.0, None)
    assert found.timing.model_dump() == {
        "control_dt": 0.01,
        "physics_dt": 0.005,
        "substeps": 1,
        "decimation": 2,
        "episode_steps": 1000,
    }


@pytest.mark.parametrize("file_format", FORMATS)
def test_parity_and_versions(file_format: ExportFormat, exported: Exported):
    found = contract_of(exported(file_format))
    assert (found.parity.recorded_rows, found.parity.random_rows, found.parity.batch_sizes) == (120, 64, (1, 7, 184))
    assert found.parity.passed
    assert 0.0 <= found.parity.max_abs_difference <= found.parity.tolerance
    onnx_packages = {"onnx", "onnxscript", "onnxruntime"} if file_format == "onnx" else set[str]()
    assert set(found.versions) == {"python", "genelab", "rsl-rl-lib", "torch"} | onnx_packages
    assert found.versions["torch"] == version("torch")


def test_default_pose_and_scale_come_from_the_snapshot_not_the_registry(
    make_run: MakeRun, observations: torch.Tensor, tmp_path: Path
):
    run_dir = make_run(tmp_path / "seed_5")
    snapshot = json.loads((run_dir.params / "env.json").read_text())
    snapshot["action"] |= {"scale": 0.25}
    snapshot["robot"]["default_pos"] = {"slider": -0.125}
    (run_dir.params / "env.json").write_text(json.dumps(snapshot))
    data = {part: json.loads((run_dir.params / f"{part}.json").read_text()) for part in ("task", "env", "agent")}
    task = load_task(data, "test")
    run_dir.update(config_sha256=config_sha256(task))
    save(run_dir.final_checkpoint, make_checkpoint(task, observations))
    found = export_policy(run_dir, run_dir.final_checkpoint, "torchscript", tmp_path / "policy.pt").action
    assert (found.constants, found.joints[0].default_pos) == ({"scale": [0.25]}, -0.125)


@pytest.mark.parametrize(("start", "stop"), [(1, 2), (0, 1), (0, 3), (2, 2)])
def test_terms_must_cover_the_input(start: int, stop: int, exported: Exported):
    found = contract_of(exported("torchscript")).observation
    first: ObservationSlice = found.terms[0].replace(start=start, stop=stop)
    with pytest.raises(ValidationError, match="do not cover 8 columns"):
        found.replace(terms=(first, *found.terms[1:]))
