from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genelab.errors import InputError
from genelab.records.arrays import encode
from genelab.records.demos import SCHEMA, read_demos
from tests.inspection.demo_files import LAYOUT, ROWS, demos, header, raw_observations


def refused(path: Path, header: dict[str, Any], arrays: dict[str, Any]) -> str:
    """What is said of a good file with changes; None takes an array out."""
    good = demos(raw_observations())
    data = good.header.model_dump(mode="json") | header
    data.pop("schema")
    whole = {**good.arrays, **arrays}
    path.write_bytes(encode(SCHEMA, data, {name: array for name, array in whole.items() if array is not None}))
    with pytest.raises(InputError) as error:
        read_demos(path)
    text = str(error.value)
    assert text.startswith(f"demonstration file '{path}' ")
    assert text.isprintable()
    assert len(text) < len(str(path)) + 400
    return text


def test_later_fields_are_left_alone(tmp_path: Path):
    good, path = demos(raw_observations()), tmp_path / "later.safetensors"
    data = good.header.model_dump(mode="json") | {"recorder": "teleoperation", "cameras": [{"name": "wrist"}]}
    path.write_bytes(encode(data.pop("schema"), data, good.arrays))
    assert read_demos(path).header == header()


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("actions", None, "has no 'actions' of one row and column or more"),
        ("actions", np.zeros(ROWS, np.float32), "has no 'actions' of one row"),
        ("actions", np.zeros((ROWS, 3), np.float32), "has 3 columns, its header names 2"),
        ("actions", np.zeros((ROWS, 2)), "has 'actions' as float64 of shape (1000, 2), must be float32"),
        ("observations/policy", None, "has no array 'observations/policy'"),
        ("observations/critic", np.zeros((ROWS, 1), np.float32), "has an array 'observations/critic' too many"),
        ("observations/policy", np.zeros((3, 6), np.float32), "of shape (3, 6), must be float32 of shape (1000, 6)"),
        ("observations/policy", np.zeros((ROWS, 6)), "has 'observations/policy' as float64 of shape"),
        ("observations/\x1b[2J\n" + "x" * 10_000, np.zeros(1), "has an array"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, name: str, array: Any, told: str):
    assert told in refused(tmp_path / "x.safetensors", {}, {name: array})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "Reach\x1b[2J\n-v1"}, "task = "),
        ({"normalized": "yes"}, "normalized = 'yes'"),
        ({"layout": {"../policy": LAYOUT}}, "layout.../policy"),
        ({"layout": {"policy": LAYOUT[1:]}}, "layout.policy: the terms do not cover the columns"),
        ({"layout": {"policy": []}}, "layout.policy: the terms do not cover the columns"),
        ({"layout": {"policy": [{"name": "a", "start": 0, "stop": 6, "bounds": [[0, 1]]}]}}, "bounds: 1 pairs for 6"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, changes: dict[str, Any], told: str):
    text = refused(tmp_path / "x.safetensors", changes, {})
    assert "has a wrong header: " in text
    assert told in text
