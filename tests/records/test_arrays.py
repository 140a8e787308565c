import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from genelab.errors import InputError
from genelab.records.arrays import KEY, arrays_sha256, encode, read

SCHEMA = "genelab/some/1"
DOCUMENT = {"name": "Größe\n\x1b", "numbers": [1, 0.1, 2**53, None, True], "nested": {"a": {}}}
ARRAYS: dict[str, Any] = {
    "float32": np.array([[0.0, -0.0], [np.nan, np.inf]], np.float32),
    "float64": np.array([0.1, 5e-324]),
    "float16": np.ones(3, np.float16),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "int32": np.full((2, 1, 2), -1, np.int32),
    "uint32": np.array([2**32 - 1], np.uint32),
    "uint8": np.arange(5, dtype=np.uint8),
    "bool": np.array([True, False]),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 4), np.int32),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "strided": np.arange(10)[::3],
}


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(path, SCHEMA)
    told = str(caught.value)
    assert told.startswith(f"'{path}' ")
    assert told.isprintable()
    assert len(told) < len(str(path)) + 500
    return told


def with_header(change: Any) -> bytes:
    """A file whose header was changed: an array of three float32 and a document."""
    whole = encode(SCHEMA, DOCUMENT, {"a": np.zeros(3, np.float32)})
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + whole[8 + size :]


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode(SCHEMA, DOCUMENT, ARRAYS))
    document, arrays = read(path, SCHEMA)
    assert document == {"schema": SCHEMA, **DOCUMENT}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        assert array.tobytes() == ARRAYS[name].tobytes()
    assert arrays_sha256(arrays) == arrays_sha256(ARRAYS)


def test_equal_data_give_equal_bytes() -> None:
    assert len({encode(SCHEMA, DOCUMENT, dict(reversed(ARRAYS.items()))) for _ in range(20)}) == 1


def test_the_digest_sees_names_types_shapes_and_bytes() -> None:
    base = {"a": np.arange(4.0, dtype=np.float32), "b": np.ones(2, np.float32)}
    others = [
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"].reshape(2, 2), "b": base["b"]},
        {"a": base["a"], "b": base["b"].astype(np.float64)},
        {"a": base["a"], "b": np.array([1.0, 1.0000001], np.float32)},
    ]
    assert arrays_sha256(base) == arrays_sha256(dict(reversed(base.items())))
    assert arrays_sha256(base) not in {arrays_sha256(other) for other in others}


def test_a_torn_file_is_refused_at_every_length(tmp_path: Path) -> None:
    whole = encode(SCHEMA, DOCUMENT, ARRAYS)
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        assert "is torn or no safetensors file: " in refused(tmp_path / "x", whole[:length])
    assert "is torn or no safetensors file: " in refused(tmp_path / "x", whole + b"\0")


def test_any_changed_bit_is_refused(tmp_path: Path) -> None:
    whole, draw = encode(SCHEMA, DOCUMENT, ARRAYS), random.Random(1)
    for _ in range(1000):
        changed = bytearray(whole)
        changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        refused(tmp_path / "x", bytes(changed))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda h: h["a"].update(dtype="F33"), "is torn or no safetensors file: "),
        # Another library may have taught it to numpy.
        (lambda h: h["a"].update(dtype="BF16", shape=[6]), ""),
        (lambda h: h["a"].update(shape=[3, 1]), "does not have the digest"),
        (lambda h: h.update(b=h.pop("a")), "does not have the digest"),
        (lambda h: h.pop("__metadata__"), f"has the schema None, must be '{SCHEMA}'"),
        (lambda h: h.update(__metadata__={KEY: "{"}), "its metadata are no JSON"),
        (lambda h: h.update(__metadata__={KEY: "[" * 99999}), "its metadata are no JSON"),
        (lambda h: h.update(__metadata__={KEY: '{"schema": "\\u001bgenelab/other/1"}'}), "has the schema '\\x1bgen"),
        (lambda h: h.update(__metadata__={KEY: f'{{"schema": "{SCHEMA}"}}'}), "does not have the digest"),
    ],
)
def test_a_changed_header_is_refused(tmp_path: Path, change: Any, told: str) -> None:
    assert told in refused(tmp_path / "x", with_header(change))


def test_files_of_others_and_of_earlier_versions_are_told(tmp_path: Path) -> None:
    assert "has the schema None" in refused(tmp_path / "x", save({"a": np.zeros(3)}))
    assert "is torn or no safetensors file" in refused(tmp_path / "x", b"something else")
    with zipfile.ZipFile(tmp_path / "old.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    told = "is of an earlier version of genelab or of another program: train or collect again"
    assert told in refused(tmp_path / "x", (tmp_path / "old.pt").read_bytes())
    with pytest.raises(InputError, match="'.*none' does not exist"):
        read(tmp_path / "none", SCHEMA)
