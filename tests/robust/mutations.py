"""Damaged JSON files: valid ones with values or bytes changed. Hypothesis draws how."""

import copy
import json
import math
from collections.abc import Sequence
from typing import Any

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


def change_file(draw: Any, whole: bytes) -> bytes:
    """A JSON file with values or bytes changed, or both."""
    data = whole if draw(rarely()) else change_json(draw, json.loads(whole))
    return change_bytes(draw, data) if draw(rarely()) else data


def change_rows(draw: Any, whole: bytes) -> bytes:
    """A file of JSON rows with one of them changed, and perhaps bytes."""
    lines = whole.splitlines()
    at = draw(index(lines))
    lines[at] = change_json(draw, json.loads(lines[at]))
    data = b"\n".join(lines) + b"\n"
    return change_bytes(draw, data) if draw(rarely()) else data
