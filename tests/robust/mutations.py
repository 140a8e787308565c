"""Damaged files: valid ones with values, bytes, or members changed. Hypothesis draws how."""

import copy
import io
import json
import math
import os
import pickle
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import strategies as st

from genelab.records.arrays import Arrays, encode, read
from genelab.records.files import parse_json

TEXTS = (
    "",
    "\0",
    "\ud800",
    "a\nb\rc",
    "\u2028",
    "🤖" * 300,
    "1",
    "NaN",
    "../../x",
    "/etc/passwd",
    "0" * 64,
    "é",
    "\x1b[31m",
)
NUMBERS = (
    *(0, -1, 1, 2, 1.0, -0.0, 0.5, 1e308, -1e308, 1e155, 5e-324, math.nan, math.inf, -math.inf),
    *(2**31, 2**63, 2**64, 10**30, 10**400, -(10**400)),
)
OTHERS = (None, True, False, [], {}, [[]], {"a": {}}, [None], [1, "x"])
MARK = "@@raw@@"
RAW = (
    *(
        "NaN",
        "-Infinity",
        "1e999",
        "1" * 5000,
        "[" * 300 + "]" * 300,
        "[" * 100_000,
        '{"a":1,"a":2}',
        "01",
        "+1",
        "0x1",
    ),
    *("'a'", "tru", '"\\ud800"', '"\\udc00\\ud800"', '"\t"', "1.", ".5", "1e5", "1E400", "-0", ""),
)
"""What no Python value gives, as it stands in the text."""


def weird() -> st.SearchStrategy[Any]:
    """Values that some field somewhere does not expect."""
    return st.one_of(
        st.sampled_from((*TEXTS, *NUMBERS, *OTHERS)), st.floats(), st.integers(), st.text(max_size=20)
    ).map(copy.deepcopy)


def rarely() -> st.SearchStrategy[bool]:
    """True one time in four."""
    return st.sampled_from((False, False, False, True))


def index(values: Sequence[Any]) -> st.SearchStrategy[int]:
    """A place in a list."""
    return st.integers(0, len(values) - 1)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in items:
            found.append((node, key))
            stack.append(child)
    return found


def change_json(draw: Any, value: Any) -> bytes:
    """Text of a JSON value with one to three places changed."""
    raws: list[str] = []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        found = places(value)
        if not found:
            break
        node, key = found[draw(st.integers(0, len(found) - 1))]
        kind = draw(st.sampled_from(("weird", "number", "delete", "copy", "add", "raw")))
        old = node[key]
        if kind == "number" and type(old) in (int, float) and abs(old) < 1e100:
            node[key] = draw(st.sampled_from((old + 1, old * 2, -old, old * 1.001, float(old), old - 1)))
        elif kind == "delete":
            del node[key]
        elif kind == "copy":
            other, where = found[draw(st.integers(0, len(found) - 1))]
            node[key] = json.loads(json.dumps(other[where]))
        elif kind == "add" and isinstance(node, dict):
            node[draw(st.sampled_from(("extra", "", "a\nb", "\ud800", "return", "schema")))] = draw(weird())
        elif kind == "add":
            node.append(json.loads(json.dumps(old)))
        elif kind == "raw":
            node[key] = f"{MARK}{len(raws)}"
            raws.append(draw(st.sampled_from(RAW)))
        else:
            node[key] = draw(weird())
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    for number, raw in enumerate(raws):
        text = text.replace(f'"{MARK}{number}"', raw)
    return text.encode("utf-8", "surrogatepass")


def change_bytes(draw: Any, data: bytes) -> bytes:
    """Bytes flipped, cut, doubled, put in or taken away."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        kind = draw(st.sampled_from(("flip", "cut", "double", "insert", "remove", "zero")))
        if kind == "flip" and at < len(changed):
            changed[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del changed[at:]
        elif kind == "double":
            changed[at:at] = changed[at : at + draw(st.integers(1, 200))]
        elif kind == "insert":
            changed[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "remove":
            del changed[at : at + draw(st.integers(1, 50))]
        else:
            changed[at : at + 16] = bytes(len(changed[at : at + 16]))
    return bytes(changed)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._canary),))


def change_file(draw: Any, whole: bytes, schema: str) -> bytes:
    """A file of arrays with changed bytes, or with another document or arrays, whose digest fits."""
    if draw(rarely()):
        return change_bytes(draw, whole)
    with TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(whole)
        document, arrays = read(path, schema)
    document.pop("schema")
    if draw(st.booleans()):
        with suppress(ValueError, RecursionError):
            changed = parse_json(change_json(draw, document))
            return encode(schema, changed if isinstance(changed, dict) else {"changed": changed}, arrays)
    return encode(schema, document, change_arrays(draw, arrays))


def change_arrays(draw: Any, arrays: Arrays) -> Arrays:
    """One to three arrays of another type, shape, content or name, or none."""
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        name = draw(st.sampled_from(sorted(arrays)))
        array = np.atleast_1d(arrays[name])
        kind = draw(st.sampled_from(("value", "value", "type", "shape", "swap", "delete", "add")))
        if kind == "value" and array.size and array.dtype.kind == "f":
            array = array.copy()
            array.flat[draw(index(array.flat))] = draw(st.sampled_from((math.nan, math.inf, -math.inf, -1, 0, 2)))
            arrays[name] = array
        elif kind == "type":
            types = ("float64", "float16", "int64", "int32", "bool", "uint8", "uint32", "complex64")
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays[name] = array.astype(draw(st.sampled_from(types)))
        elif kind == "shape":
            shapes = (array[:-1], array[:0], array[None], array.ravel(), array[..., None], array.T)
            arrays[name] = draw(st.sampled_from(shapes))
        elif kind == "swap":
            other = draw(st.sampled_from(sorted(arrays)))
            arrays[name], arrays[other] = arrays[other], arrays[name]
        elif kind == "delete" and len(arrays) > 1:
            del arrays[name]
        else:
            arrays[draw(st.sampled_from(("extra", "observations/extra", "actor.a\x1b", "")))] = array
    return arrays


def change_archive(draw: Any, data: bytes, canary: Path) -> bytes:
    """The same archive with a member replaced, renamed, doubled, left out, packed or changed; checksums fit."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = draw(st.integers(0, len(members) - 1))
    name, content = members[at]
    kind = draw(st.sampled_from(("bytes", "payload", "rename", "double", "leave", "pack", "script", "empty", "long")))
    packed = zipfile.ZIP_DEFLATED if kind == "pack" else zipfile.ZIP_STORED
    if kind == "bytes":
        members[at] = (name, change_bytes(draw, content))
    elif kind == "payload":
        members = [(n, pickle.dumps(Payload(canary)) if n.endswith("data.pkl") else c) for n, c in members]
    elif kind == "rename":
        members[at] = (draw(st.sampled_from(("../x", "/x", "archive/data/99", "x" * 300, name.upper()))), content)
    elif kind == "double":
        members.append((name, b"other"))
    elif kind == "leave":
        del members[at]
    elif kind == "script":
        members.append((f"{name.partition('/')[0]}/constants.pkl", b"\x80\x02)."))
    elif kind in ("empty", "long"):
        members[at] = (name, b"" if kind == "empty" else content * 3)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for member, text in members:
            archive.writestr(member, text)
    return buffer.getvalue()
