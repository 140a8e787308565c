"""Damaged JSON files: every reader refuses them in one line, or makes sense of them.

The same few hundred inputs in every run; `GENELAB_FUZZ_EXAMPLES` tries so many for each reader, others every time.
Of files of arrays every changed byte is refused, see `tests/records/test_arrays.py`.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from genelab.errors import GenelabError
from genelab.jobs.replay_guard import read_guard
from genelab.publish.published import FILE as PUBLISHED
from genelab.publish.published import read_published
from genelab.publish.render import compose
from genelab.publish.store import add_entry, load_store
from genelab.records import names
from genelab.records.check import check_path
from genelab.records.check.finding import changed
from genelab.records.files import parse_json, read_rows
from genelab.records.seed_files import read_task
from genelab.sweep.live import describe_evaluation
from genelab.sweep.pace import read_progress
from tests.records.factory import make_sweep, make_task, make_walker
from tests.robust import mutations
from tests.robust.trainers import make_guard, make_run

EXAMPLES = int(os.environ.get("GENELAB_FUZZ_EXAMPLES", "25"))
SEED, WALKER, ENTRY = Path("sweep", "seed_1"), Path("walker", "seed_1"), Path("reference", "Toy-v1", "first")

UNCHECKED = (
    # Told by the process alone: nothing else on the disk says it again.
    *("run.command", "run.launched_at", "run.seeds_planned", "code", "packages", "hardware", "backend", "finished_at"),
    *("timing.eval_wall_s", "timing.attempts", "differences_from_registry", "guards", "round_trip"),
    "checkpoint.selection",
    # run.json and sweep.json
    *("command", "overrides", "execution", "launched_at", "attempts", "seeds_planned", "created_at", "updated_at"),
    *("timing.compile_s", "timing.peak_memory_bytes", "failure"),
    *(f"seeds[{k}].{field}" for k in range(2) for field in ("attempts", "exit_code", "reason")),
    # What a robot did in a probe, of which only order statistics are told
    *(f"cases[{case}].achieved[{k}]" for case in range(2) for k in range(3)),
    # An entry's header
    *("reason", "artifact", "publisher", "supersedes"),
)
"""Fields that nobody can recompute, by their path or the start of it."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sweeps, one with a probe, a store with published numbers, and what a guard left."""
    root = tmp_path_factory.mktemp("world")
    make_sweep(root / "sweep", seeds=(1, 2))
    make_sweep(root / "walker", task=make_walker(), seeds=(1,), measures={"lin_vel_error": (0.2, 0.7)})
    add_entry(root / "sweep", "first", root / "reference")
    (root / "reference" / PUBLISHED).parent.mkdir()
    shutil.copy(Path(__file__).parents[2] / "reference" / PUBLISHED, root / "reference" / PUBLISHED)
    make_guard(make_run(root, 1))
    return root


def require_one_line(text: str) -> None:
    """A message is printable, on one line, and of bearable length."""
    assert text
    assert len(text.splitlines()) == 1, repr(text)
    assert text.isprintable(), repr(text)
    assert len(text) < 2000, len(text)


def _found(path: Path) -> bool:
    """Whether `genelab check` finds anything."""
    findings = check_path(path).findings
    for finding in findings:
        require_one_line(str(finding))
    return bool(findings)


def _record(world: Path, where: Path, whole: bytes) -> None:
    """No finding: only what cannot be recomputed has changed."""
    with suppress(GenelabError):
        describe_evaluation(world / SEED / names.EVAL)
    with suppress(GenelabError):
        load_store(world / "reference")
    if not _found(world / where.parts[0]):
        for path, old, new in _told_apart(parse_json(whole), json.loads((world / where).read_bytes())):
            assert path.startswith(UNCHECKED), f"{where}: {path} became {new!r} from {old!r}, and no finding"


def _told_apart(whole: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Leaves that say something else. JSON has one kind of number: a reader of floats takes 1 and 1.0 for the same."""
    for where, old, new in changed(whole, now, ""):
        numbers = [type(value) in (int, float) for value in (old, new)]
        # What is left out is its default, and no measures are none.
        unstated = where.endswith(".measures") and (old, new) == ({}, None)
        if not unstated and not (all(numbers) and old == new):
            yield where, old, new


def _snapshot(world: Path, where: Path, whole: bytes) -> None:
    """No finding: it says the same, such as a default that is no longer stated."""
    assert _found(world / "sweep") or read_task(world / SEED / names.PARAMS) == make_task()


def _curve(world: Path, where: Path, whole: bytes) -> None:
    """No finding: the rows of every iteration, once, in order."""
    progress = read_progress(world / where, make_task())
    assert progress is None or progress.done >= 0
    with suppress(GenelabError):
        read_rows(world / where, growing=True)
    if not _found(world / "sweep"):
        rows = [parse_json(line)["iteration"] for line in (world / where).read_bytes().splitlines()]
        assert rows == sorted(set(rows))
        assert rows[-1] == make_task().train.iterations - 1


def _published(world: Path, where: Path, whole: bytes) -> None:
    """Accepted: every row says what the file says."""
    rows = [row.model_dump(mode="json") for row in read_published(world / "reference")]
    assert rows == parse_json((world / where).read_bytes())
    compose(world / "reference", world / "docs")


def _guard(world: Path, where: Path, whole: bytes) -> None:
    read_guard((world / where).parent)


READERS: dict[Path, Callable[[Path, Path, bytes], None]] = {
    **dict.fromkeys((SEED / names.EVAL, SEED / names.RUN, WALKER / names.PROBE, ENTRY / names.ENTRY), _record),
    Path("sweep", names.SWEEP): _record,
    **dict.fromkeys((SEED / names.PARAMS / f"{part}.json" for part in names.PARTS), _snapshot),
    SEED / names.CURVE: _curve,
    Path("reference", PUBLISHED): _published,
    Path("seed_1", names.GUARD, "8", names.FAULT): _guard,
}
"""Each file, and what reads it. A judge raises GenelabError if it is refused, and asserts what must hold if not."""


@pytest.mark.timeout(120 + EXAMPLES)
@pytest.mark.parametrize("where", READERS, ids=str)
@pytest.mark.slow
def test_a_damaged_file_is_refused_or_makes_sense(world: Path, where: Path) -> None:
    whole = (world / where).read_bytes()

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
        change = mutations.change_rows if where.suffix == ".jsonl" else mutations.change_file
        (world / where).write_bytes(change(data.draw, whole))
        try:
            READERS[where](world, where, whole)
        except GenelabError as error:
            require_one_line(str(error))
        finally:
            (world / where).write_bytes(whole)

    one()
