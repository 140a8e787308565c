import json
import re
from pathlib import Path
from typing import Any

import pytest

from genelab.errors import RunError
from genelab.publish.render import compose
from genelab.publish.store import add_entry
from genelab.records.check import check_path
from genelab.records.derived import metrics_of
from genelab.records.sim2sim import Sim2SimRecord
from tests.records.factory import EPISODES, edit, make_sweep, make_task, make_walker, set_at

FUNCTION = {"func": "a:b", "params": {}, "meaning": None}


@pytest.fixture
def contract(sweep: Path) -> Path:
    """The contract of the policy of seed 1, beside its file."""
    return sweep / "seed_1" / "policy.onnx.metadata.json"


def test_a_policy_is_published_with_its_contract_and_its_second_opinion(sweep: Path, store: Path) -> None:
    path = add_entry(sweep, "first", store)
    assert check_path(path).findings == []
    (found, *_) = json.loads((path / "entry.json").read_text())["runs"]
    # Idle earns the same in the toy's other simulator, the policy nine tenths.
    kept = (0.9 * found["metrics"]["return_mean"] - found["idle_return_mean"]) / (
        found["metrics"]["return_mean"] - found["idle_return_mean"]
    )
    assert found["sim2sim"]["kept_return"] == pytest.approx(kept)
    assert found["sim2sim"]["lost"] == []
    (path / "seed_1" / "policy.onnx").write_bytes(b"ONNX")
    told = [str(finding) for finding in check_path(path).findings]
    assert any("policy.onnx: is not the recorded file" in line for line in told)
    assert any("sim2sim.json: policy_sha256: " in line for line in told)


def test_a_seed_without_its_second_opinion_is_not_published(sweep: Path, store: Path) -> None:
    (sweep / "seed_2" / "sim2sim.json").unlink()
    with pytest.raises(
        RunError, match=r"sim2sim\.json: missing; `genelab export Toy-v1 .* and `genelab sim2sim Toy-v1"
    ):
        add_entry(sweep, "first", store)


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        ("seed", 2, "seed: 2, run.json has 1"),
        ("config_sha256", "0" * 64, "config_sha256: '000"),
        ("weights_sha256", "0" * 64, "weights_sha256: '000"),
        ("policy_sha256", "0" * 64, "policy_sha256: '000"),
        ("backend.engine", "genesis", "backend.engine: 'genesis', run.json has 'mujoco'"),
        ("metrics.return_mean", 1e3, "metrics.return_mean: 1000.0 stored"),
        ("idle.metrics.length_mean", 1.0, "idle.metrics.length_mean: 1.0 stored"),
        ("episodes.return.0", 1e3, "exceeds the ceiling"),
        ("protocol.seed", 7, "protocol.sha256: "),
        ("probe", [], "probe: "),
        ("probe.0.name", "sideways", "probe[0][0]: 'sideways', the snapshot has"),
        ("episodes.success", [True] * EPISODES, "success and measures"),
    ],
)
def test_a_changed_second_opinion_is_found(tmp_path: Path, where: str, value: object, told: str) -> None:
    task = make_walker() if where.startswith("probe") else make_task()
    sweep = make_sweep(tmp_path / "sweep", task=task)
    assert check_path(sweep).findings == []
    set_at(sweep / "seed_1" / "sim2sim.json", where, value)
    assert any(f"sim2sim.json: {told}" in line or told in line for line in map(str, check_path(sweep).findings))


def test_a_policy_that_loses_much_elsewhere_is_flagged(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep")
    for seed in (1, 2, 3):
        path = sweep / f"seed_{seed}" / "sim2sim.json"
        record = json.loads(path.read_text())
        record["episodes"]["return"] = [0.5 * value for value in record["episodes"]["return"]]
        found = Sim2SimRecord.model_validate_json(json.dumps(record))
        path.write_text(found.replace(metrics=metrics_of(found.episodes)).model_dump_json())
    add_entry(sweep, "first", tmp_path / "reference")
    page = compose(tmp_path / "reference", tmp_path / "docs").text
    assert len(re.findall(r"\*\*keeps \d\d% of the return above idle\*\*", page)) == 3


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("task", "Other-v1"),
        ("task_version", 2),
        ("seed", 2),
        ("seed", 9),
        ("config_sha256", "0" * 64),
        ("checkpoint.path", "model_3.pt"),
        ("checkpoint.sha256", "0" * 64),
        ("checkpoint.bytes", 7),
        ("checkpoint.weights_sha256", "0" * 64),
        ("checkpoint.iteration", 3),
        ("file.sha256", "0" * 64),
        ("file.bytes", 5),
        ("file.format", "torchscript"),
        ("file.name", "other.onnx"),
        ("observation.input.name", "x"),
        ("observation.normalization", "none"),
        ("observation.terms.0.name", "vel"),
        ("observation.terms.0.scale", 99.0),
        ("observation.terms.0.training_noise", 0.5),
        ("observation.terms.0.func", "toy.mdp:vel"),
        ("observation.terms.0.params", {"joints": ["slider"]}),
        ("observation.terms.0.bounds", [[-1.0, 1.0]]),
        ("action.output.name", "x"),
        ("observation.formula", "obs[start:stop] = value"),
        ("action.formula.0", "target = action"),
        ("action.unit", "deg"),
        ("action.constants.scale", [2.0]),
        ("action.gravity_compensation", 1.0),
        ("action.joints.0.name", "hinge"),
        ("action.joints.0.default_pos", 0.1),
        ("action.joints.0.range", [-2.0, 2.0]),
        ("action.joints.0.kp", 81.0),
        ("action.joints.0.kv", 9.0),
        ("action.joints.0.effort_limit", 5.0),
        ("timing.control_dt", 0.02),
        ("timing.physics_dt", 0.001),
        ("timing.decimation", 3),
        ("timing.episode_steps", 77),
        ("goal", {"achieved": FUNCTION, "desired": FUNCTION, "tolerance": 0.1}),
        ("parity.passed", False),
        ("parity.max_abs_difference", 1e9),
        ("parity.tolerance", 1e10),
        ("parity.largest_action", 3.0),
        ("parity.batch_sizes", [1, 7, 72]),
    ],
)
def test_a_changed_contract_is_not_published(
    sweep: Path, store: Path, contract: Path, where: str, value: object
) -> None:
    """Every value that the seed, its snapshot, the policy file or another value determines."""
    set_at(contract, where, value)
    told = "parity.tolerance" if where == "parity.largest_action" else re.sub(r"\.0\b", "[0]", where)
    told = {"parity.max_abs_difference": "parity.passed", "seed": "(seed|checkpoint)"}.get(where, re.escape(told))
    with pytest.raises(RunError, match=rf"metadata\.json: .*{told}"):
        add_entry(sweep, "first", store)


def test_a_contract_with_other_terms_than_the_snapshot_is_found(sweep: Path, contract: Path) -> None:
    def add_a_term(data: Any) -> None:
        terms = data["observation"]["terms"]
        terms.append({**terms[0], "name": "more", "start": 1, "stop": 2})
        data["observation"]["input"]["shape"][1] = 2

    edit(contract, add_a_term)
    assert ["has not the terms of the groups policy" in str(f) for f in check_path(sweep).findings] == [True]
