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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

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


def checkpoint_kinds() -> st.SearchStrategy[str]:
    """How a checkpoint is damaged."""
    return st.sampled_from(("bytes", "archive", "tensors", "tensors"))


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


def tensors(canary: Path) -> st.SearchStrategy[Any]:
    """What a checkpoint might hold instead of a tensor."""
    half = torch.arange(4.0)
    return st.sampled_from(
        (
            *(half, half.double(), half.half(), half.bfloat16(), half.long(), half.bool(), half.to(torch.complex64)),
            *(half[:0], half[0], half[::2], half.expand(3, 4), torch.zeros(1).expand(10**12), half.to_sparse()),
            *(torch.full((32, 8), math.nan), torch.full((32, 8), math.inf), torch.zeros(32, 8), torch.zeros(32, 8).T),
            *(torch.nn.Parameter(half), torch.zeros(8, dtype=torch.uint8), torch.zeros(2, device="meta")),
            *(torch.quantize_per_tensor(half, 0.1, 0, torch.quint8), torch.full((2,), complex(math.nan, 0))),
            *(
                Payload(canary),
                os.system,
                3,
                "x",
                None,
                [half],
                {"a": half},
                {1: 2},
                b"x",
                math.nan,
                10**400,
                (),
                set(),
            ),
        )
    )


def change_tensors(draw: Any, data: dict[str, Any], canary: Path) -> bytes:
    """A file as torch.save writes it, with one to three values replaced, removed or added."""
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        found = places(data)
        if not found:
            break
        node, key = found[draw(st.integers(0, len(found) - 1))]
        kind = draw(st.sampled_from(("tensor", "tensor", "weird", "delete", "add", "layout")))
        if kind == "delete":
            del node[key]
        elif kind == "add" and isinstance(node, dict):
            node[draw(st.sampled_from(("extra", 7, "", "a\nb", (1, 2))))] = draw(tensors(canary))
        elif kind == "layout" and isinstance(data.get("layout"), str):
            data["layout"] = change_json(draw, json.loads(data["layout"])).decode("utf-8", "replace")
            break
        else:
            node[key] = draw(tensors(canary) if kind == "tensor" else weird())
    buffer = io.BytesIO()
    torch.save(data, buffer)
    return buffer.getvalue()


def change_arrays(draw: Any, arrays: dict[str, Any]) -> bytes:
    """A file as numpy.savez writes it, with one to three arrays of another type, shape, or content, or none."""
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        name = draw(st.sampled_from(sorted(arrays)))
        array = np.atleast_1d(arrays[name])
        kind = draw(st.sampled_from(("value", "value", "type", "shape", "swap", "delete", "add")))
        if kind == "value" and array.size:
            value: Any = draw(st.sampled_from((math.nan, math.inf, -math.inf, 1e38, -1, 0, 1, 2, True)))
            with np.errstate(all="ignore"):
                array = array.copy()
                whole = np.issubdtype(array.dtype, np.integer) and not abs(value) < 100
                array.flat[draw(st.integers(0, array.size - 1))] = 0 if whole else np.float64(value).astype(array.dtype)
            arrays[name] = array
        elif kind == "type":
            types = ("float64", "float16", "int64", "bool", "uint8", "complex64", "S3", "U2", ">f4", "datetime64[s]")
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays[name] = array.astype(draw(st.sampled_from(types)))
        elif kind == "shape":
            shapes = (array[:-1], array[:0], array[None], array.ravel(), array[..., None], np.asfortranarray(array))
            # An empty one has no element to be a scalar.
            scalar = (array.flat[:1].reshape(()),) if array.size else ()
            arrays[name] = draw(st.sampled_from((*shapes, np.repeat(array, 2, axis=0), *scalar)))
        elif kind == "swap":
            other = draw(st.sampled_from(sorted(arrays)))
            arrays[name], arrays[other] = arrays[other], arrays[name]
        elif kind == "delete" and len(arrays) > 1:
            del arrays[name]
        else:
            arrays[draw(st.sampled_from(("extra", "observations/extra", "a b")))] = array
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


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
