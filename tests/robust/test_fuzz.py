"""Damaged files: every reader refuses them or makes sense of them.

The same few hundred inputs in every run; `GENELAB_FUZZ_EXAMPLES` tries so many for each reader, others every time.
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from genelab.errors import FileError, GenelabError, InputError
from genelab.publish.published import read_published
from genelab.records.check import check_path
from genelab.records.files import parse_json
from genelab.runs.curve import read_whole_rows
from tests.records.factory import edit, make_sweep
from tests.robust.mutations import Payload
from tests.robust.readers import Reader, World, readers, require_one_line

NAMES = (
    *("eval.json", "run.json", "sweep.json", "entry.json", "task.json", "env.json", "agent.json", "curve.jsonl"),
    "probe.json",
    *("task.json restored", "env.json restored", "agent.json restored", "published numbers", "picture", "checkpoint"),
    *("model.zip", "demonstrations", "contract", "policy"),
    *("round_trip.safetensors", "fault.json"),
)
EXAMPLES = int(os.environ.get("GENELAB_FUZZ_EXAMPLES", "25"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def every(world: World) -> dict[str, Reader]:
    return readers(world)


def test_every_reader_is_tried(every: dict[str, Reader]) -> None:
    assert set(every) == set(NAMES)


@pytest.mark.timeout(120 + EXAMPLES)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_or_makes_sense(every: dict[str, Reader], name: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=10_000,
        derandomize="GENELAB_FUZZ_EXAMPLES" not in os.environ,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        every[name].try_one(data.draw)

    one()


def test_the_judge_sees_a_reader_that_takes_anything(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")

    def raises(_: bytes) -> None:
        raise GenelabError("two\nlines")

    with pytest.raises(AssertionError):
        Reader(path, lambda _: b"?", raises).try_one(None)
    assert path.read_text() == "{}"
    with pytest.raises(AssertionError):
        require_one_line("\x1b[31mred")


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "1" * 5000])
def test_integers_that_no_float_can_follow_are_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="no 64-bit integer"):
        parse_json(text)
    assert parse_json("9223372036854775807") == 2**63 - 1


def test_json_in_another_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(json.dumps({"ä": 1}, ensure_ascii=False).encode("utf-16"))


def test_a_file_listed_twice_in_an_entry_is_found(world: World) -> None:
    path = world.entry / "entry.json"
    whole = path.read_bytes()
    try:
        edit(path, lambda record: record["files"].append(record["files"][0]))
        assert [finding.message for finding in check_path(world.entry).findings] == [
            "files: not sorted by path, each once"
        ]
    finally:
        path.write_bytes(whole)


def test_a_number_in_quotes_is_no_published_number(world: World) -> None:
    whole = world.published.read_bytes()
    rows = json.loads(whole)
    rows[0]["seed"] = str(rows[0]["seed"])
    try:
        world.published.write_text(json.dumps(rows))
        with pytest.raises(FileError, match="seed"):
            read_published(world.store)
    finally:
        world.published.write_bytes(whole)


def test_numbers_too_large_to_compute_with_are_a_finding(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "sweep", seeds=(1,))
    edit(sweep / "seed_1" / "eval.json", lambda record: record["episodes"].update({"return": [1e308, -1e308] * 4}))
    findings = check_path(sweep).findings
    assert ["beyond 1e+150" in finding.message for finding in findings] == [True]
    require_one_line(str(findings[0]))


@pytest.mark.parametrize("line", [b"{}", b'{"iteration": "0"}', b"[]", b'{"iteration": NaN}', b"\xff", b"[" * 100_000])
def test_a_damaged_row_stops_a_resume_in_one_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_bytes(b'{"iteration": 0}\n' + line + b'\n{"iteration": 2}\n{"iter')
    with pytest.raises(InputError, match="line 2") as caught:
        read_whole_rows(path)
    require_one_line(str(caught.value))


def test_a_payload_is_a_payload() -> None:
    function, _ = Payload(Path("x")).__reduce__()
    assert function.__name__ == "mkdir"
