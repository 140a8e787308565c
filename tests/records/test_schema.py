import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from genelab.records.schema import MODELS, json_schemas
from tests.records.factory import edit, make_sweep


def published(stem: str) -> dict[str, Any]:
    return json.loads(files("genelab.records").joinpath("schemas", f"{stem}.schema.json").read_text())


@pytest.mark.parametrize("stem", MODELS)
def test_published_schema_is_current(stem: str) -> None:
    assert json.dumps(published(stem), indent=2) + "\n" == json_schemas()[f"{stem}.schema.json"]


@pytest.mark.parametrize(
    ("stem", "name"), [("eval", "seed_1/eval.json"), ("run", "seed_1/run.json"), ("sweep", "sweep.json")]
)
def test_written_records_satisfy_the_schema(tmp_path: Path, stem: str, name: str) -> None:
    path = make_sweep(tmp_path / "sweep") / name
    validator = jsonschema.Draft202012Validator(published(stem))
    validator.validate(json.loads(path.read_text()))
    edit(path, lambda record: record.update(surprise=1))
    assert not validator.is_valid(json.loads(path.read_text()))


def test_a_record_states_its_protocol_in_full(tmp_path: Path) -> None:
    path = make_sweep(tmp_path / "sweep") / "seed_1" / "eval.json"
    edit(path, lambda record: record["protocol"].pop("observation_noise"))
    assert not jsonschema.Draft202012Validator(published("eval")).is_valid(json.loads(path.read_text()))
    with pytest.raises(ValueError, match="observation_noise"):
        MODELS["eval"].model_validate_json(path.read_text())
