import re
from pathlib import Path
from typing import Any

import pytest

from genelab.errors import RunError
from genelab.publish.store import add_entry
from genelab.records.check import check_path, check_policy
from genelab.records.check.seeds import check_sweep
from tests.records.factory import edit, make_contract, set_at

FUNCTION = {"func": "a:b", "params": {}, "meaning": None}


@pytest.fixture
def contract(sweep: Path, tmp_path: Path) -> Path:
    """The contract of a policy of seed 1, beside its file."""
    policy = tmp_path / "export" / "policy.onnx"
    policy.parent.mkdir()
    policy.write_bytes(b"onnx")
    return make_contract(sweep / "seed_1", policy)


def test_an_exported_policy_is_published_with_its_contract(sweep: Path, store: Path, contract: Path) -> None:
    path = add_entry(sweep, "first", store, policy=contract.parent)
    assert check_path(path).findings == []
    edit(path / "policy" / contract.name, lambda data: data.update(config_sha256="0" * 64))
    assert any("config_sha256: '000" in str(finding) for finding in check_path(path).findings)


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
        add_entry(sweep, "first", store, policy=contract.parent)


def test_a_contract_with_other_terms_than_the_snapshot_is_found(sweep: Path, contract: Path) -> None:
    def add_a_term(data: Any) -> None:
        terms = data["observation"]["terms"]
        terms.append({**terms[0], "name": "more", "start": 1, "stop": 2})
        data["observation"]["input"]["shape"][1] = 2

    edit(contract, add_a_term)
    _, seeds, _ = check_sweep(sweep, None)
    assert ["has not the terms of the groups policy" in str(f) for f in check_policy(contract.parent, seeds)] == [True]
