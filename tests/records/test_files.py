from pathlib import Path

import pytest

from genelab.errors import FileError
from genelab.records.files import parse_json, read_json, read_record
from genelab.records.run import RunRecord
from genelab.records.sweep import SeedEntry
from tests.records.factory import edit, make_sweep


@pytest.mark.parametrize("text", ["NaN", '{"a": NaN}', "[Infinity]", "[-Infinity]", "[1e999]", "[-1e999]"])
def test_non_finite_numbers_are_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="holds"):
        parse_json(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "1" * 5000])
def test_integers_that_no_float_can_follow_are_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="no 64-bit integer"):
        parse_json(text)
    assert parse_json("9223372036854775807") == 2**63 - 1


def test_json_in_another_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_json('{"ä": 1}'.encode("utf-16"))


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'mean' twice"):
        parse_json('{"mean": 1.0, "other": 0, "mean": 2.0}')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_unreadable_files_are_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=message) as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"seed": "1"}', "seed"),
        ('{"seed": 1.0}', "seed"),
        ('{"seed": 1, "unknown": 2}', "unknown"),
    ],
)
def test_records_are_read_strictly(tmp_path: Path, text: str, field: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FileError, match=field):
        read_record(path, SeedEntry)


@pytest.mark.parametrize("version", ["genelab/run/1", "genelab/run/3", "genelab/eval/1", "genelab/run/x", 1, None])
def test_a_record_of_an_earlier_version_is_told_from_a_broken_one(tmp_path: Path, version: object) -> None:
    path = make_sweep(tmp_path / "sweep", seeds=(1,)) / "seed_1" / "run.json"
    edit(path, lambda record: record.update(schema=version, gone="in version 2"))
    with pytest.raises(FileError) as caught:
        read_record(path, RunRecord)
    told = f"'{path}': is genelab/run/1, of an earlier version of genelab: train it again"
    assert (str(caught.value) == told) == (version == "genelab/run/1")
    assert "schema = " in str(caught.value) or version == "genelab/run/1"
