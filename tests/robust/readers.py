"""Every reader of genelab with a valid file to damage, and what it may make of a damaged one.

A reader either refuses with a GenelabError on one printable line, or accepts. What it accepts must make sense: see the
`judge` of each.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from genelab.config import snapshot as snapshots
from genelab.config.snapshot import config_sha256, dump_task, load_task
from genelab.errors import GenelabError
from genelab.jobs.replay_guard import read_guard
from genelab.learn import checkpoint as checkpoints
from genelab.learn.round_trip import SCHEMA as ROUND_TRIP
from genelab.learn.round_trip import recorded_observations, write_round_trip
from genelab.learn.rsl_rl import checkpoint as files
from genelab.learn.rsl_rl.backend import load_actor
from genelab.publish.published import FILE as PUBLISHED
from genelab.publish.published import read_published
from genelab.publish.render import compose, differences, write
from genelab.publish.store import add_entry, load_store
from genelab.records import names
from genelab.records.check import check_path, check_policy
from genelab.records.check.compare import changed
from genelab.records.check.seeds import check_sweep
from genelab.records.files import parse_json, read_json
from genelab.records.seed_files import read_task
from genelab.runs import curve as curves
from genelab.runs.run_dir import RunDir
from genelab.sweep.live import describe_evaluation, read_progress
from tests.records.factory import make_contract, make_sweep, make_task, make_walker
from tests.robust import mutations
from tests.robust.sac_readers import SacWorld, sac_readers
from tests.robust.trainers import make_guard, make_run

Draw = Callable[..., Any]

UNCHECKED = (
    # Told by the process alone: nothing else on the disk says it again.
    *("run.command", "run.launched_at", "run.seeds_planned", "code", "packages", "hardware", "backend", "finished_at"),
    *(
        "timing.eval_wall_s",
        "timing.attempts",
        "differences_from_registry",
        "guards",
        "round_trip",
        "checkpoint.selection",
    ),
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

MEASURED = (
    *("parity.recorded_rows", "parity.random_rows", "parity.batch_sizes", "parity.max_abs_difference", "versions"),
    # Of at most 1 the tolerance is the same.
    "parity.largest_action",
    # The width of a term whose bounds hold for every column.
    *("observation.input.shape", "observation.terms[0].stop"),
)
"""Fields of a contract that only the export itself could measure. Within a tolerance, and rows that add up."""


class World:
    """A valid sweep, a store with its page, and checkpoints, in a directory of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.canary = root / "canary"
        self.sweep = make_sweep(root / "sweep", seeds=(1, 2))
        self.run = self.sweep / "seed_1"
        self.store = root / "reference"
        self.entry = add_entry(self.sweep, "first", self.store)
        self.docs = root / "docs"
        self.published = self.store / PUBLISHED
        self.published.parent.mkdir()
        shutil.copy(Path(__file__).parents[2] / "reference" / PUBLISHED, self.published)
        write(compose(self.store, self.docs))
        self.picture = next((self.docs / "curves").glob("*.svg"))
        self.checkpoint = root / "model.pt"
        self.agent = make_task().agent
        files.save(self.checkpoint, _checkpoint())
        self.snapshot = root / "snapshot"
        """A run whose snapshot a worker restores."""
        shutil.copytree(self.run, self.snapshot)
        self.sac = SacWorld(root)
        self.guard = make_guard(make_run(root / "guarded", 1))
        self.round_trip = root / names.ROUND_TRIP
        write_round_trip(self.round_trip, "a" * 64, [1.0, 2.0], {"policy": torch.zeros(4, 3)})
        self.policy = root / "export" / "policy.onnx"
        """A policy file and its contract, beside the sweep that they come from."""
        self.policy.parent.mkdir()
        self.policy.write_bytes(b"an exported policy")
        self.contract = make_contract(self.run, self.policy)
        self.walker = make_sweep(
            root / "walker", task=make_walker(), seeds=(1,), measures={"lin_vel_error": (0.2, 0.7)}
        )
        """A sweep with a probe."""
        self.whole = {path: path.read_bytes() for path in root.rglob("*.json")}


def _checkpoint() -> checkpoints.Checkpoint:
    from genelab.learn.rsl_rl.networks import build_actor, build_critic

    torch.manual_seed(0)
    agent = make_task().agent
    layout = {group: [{"name": "all", "start": 0, "stop": 4}] for group in ("policy", "critic")}
    return checkpoints.Checkpoint(
        "a" * 64, 3, layout, build_actor(agent, layout, 1).state_dict(), build_critic(agent, layout).state_dict()
    )


class Reader:
    """A file, a way to damage it, and a reader with its judge. The reader returns False if it reports a finding."""

    def __init__(self, path: Path, damage: Callable[[Draw], bytes], read: Callable[[bytes], object]) -> None:
        self._path = path
        self._whole = path.read_bytes()
        self._damage = damage
        self._read = read

    def try_one(self, draw: Draw) -> str:
        """Damage the file, read it, put it back. Returns `refused` or `accepted`; asserts what must hold."""
        data = self._damage(draw)
        self._path.write_bytes(data)
        try:
            refused = self._read(data) is False
        except GenelabError as error:
            require_one_line(str(error))
            return "refused"
        finally:
            self._path.write_bytes(self._whole)
        return "refused" if refused else "accepted"


def require_one_line(text: str) -> None:
    """A message is printable, on one line, and of bearable length."""
    assert text
    assert len(text.splitlines()) == 1, repr(text)
    assert text.isprintable(), repr(text)
    assert len(text) < 2000, len(text)


def readers(world: World) -> dict[str, Reader]:
    """Every reader, by name."""
    found: dict[str, Reader] = {}
    for name in (names.EVAL, names.RUN):
        found[name] = _json(world.run / name, lambda data, w=world, n=name: _check(w.sweep, w.run / n, data, w))
    found[names.SWEEP] = _json(
        world.sweep / names.SWEEP, lambda data: _check(world.sweep, world.sweep / names.SWEEP, data, world)
    )
    found[names.ENTRY] = _json(
        world.entry / names.ENTRY, lambda data: _check(world.store, world.entry / names.ENTRY, data, world)
    )
    for part in names.PARTS:
        path = world.run / names.PARAMS / f"{part}.json"
        found[path.name] = _json(path, lambda _: _check_part(world))
        path = world.snapshot / names.PARAMS / f"{part}.json"
        found[f"{path.name} restored"] = _json(path, lambda _: _restore(world.snapshot))
    found[names.CURVE] = _rows(world.run / names.CURVE, lambda data: _check_curve(world, data))
    probe = world.walker / "seed_1" / names.PROBE
    found[names.PROBE] = _json(probe, lambda data: _check(world.walker, probe, data, world))
    found["published numbers"] = _json(world.published, lambda _: _read_published(world))
    drawing = world.picture.read_bytes()
    found["picture"] = Reader(
        world.picture,
        lambda draw: mutations.change_bytes(draw, drawing),
        lambda data: _check_picture(world, changed=data != drawing),
    )
    whole = world.checkpoint.read_bytes()
    found["checkpoint"] = Reader(
        world.checkpoint,
        lambda draw: mutations.change_file(draw, whole, files.SCHEMA),
        lambda _: _read_checkpoint(world),
    )
    returns = world.round_trip.read_bytes()
    found[names.ROUND_TRIP] = Reader(
        world.round_trip, lambda draw: mutations.change_file(draw, returns, ROUND_TRIP), lambda _: _read_returns(world)
    )
    found[names.FAULT] = _json(world.guard / names.FAULT, lambda _: read_guard(world.guard))
    found["contract"] = _json(world.contract, lambda data: _check_contract(world, data))
    policy = world.policy.read_bytes()
    found["policy"] = Reader(
        world.policy,
        lambda draw: mutations.change_bytes(draw, policy),
        lambda data: _check_contract(world, world.contract.read_bytes(), changed_policy=data != policy),
    )
    return found | {name: Reader(*parts) for name, parts in sac_readers(world.sac, world.canary).items()}


def _json(path: Path, read: Callable[[bytes], object]) -> Reader:
    whole = path.read_bytes()

    def damage(draw: Draw) -> bytes:
        data = whole if draw(mutations.rarely()) else mutations.change_json(draw, json.loads(whole))
        return mutations.change_bytes(draw, data) if draw(mutations.rarely()) else data

    return Reader(path, damage, read)


def _rows(path: Path, read: Callable[[bytes], object]) -> Reader:
    whole = path.read_bytes()

    def damage(draw: Draw) -> bytes:
        rows = [json.loads(line) for line in whole.splitlines()]
        lines = [line + b"\n" for line in whole.splitlines()]
        at = draw(mutations.index(rows))
        lines[at] = mutations.change_json(draw, rows[at]) + b"\n"
        return mutations.change_bytes(draw, b"".join(lines)) if draw(mutations.rarely()) else b"".join(lines)

    return Reader(path, damage, read)


def _check(root: Path, path: Path, data: bytes, world: World) -> bool:
    """`genelab check`, and every other reader of a record. Accepted: only what cannot be recomputed has changed."""
    findings = check_path(root).findings
    for finding in findings:
        require_one_line(str(finding))
    with suppress(GenelabError):
        describe_evaluation(world.run / names.EVAL)
    with suppress(GenelabError):
        load_store(world.store)
    if findings:
        return False
    for where, old, new in _told_apart(parse_json(world.whole[path]), json.loads(data)):
        assert where.startswith(UNCHECKED), f"{path.name}: {where} became {new!r} from {old!r}, and no finding"
    return True


def _check_part(world: World) -> bool:
    """A part of a snapshot. Accepted: what says the same, such as a default that is no longer stated."""
    findings = check_path(world.sweep).findings
    for finding in findings:
        require_one_line(str(finding))
    assert findings or read_task(world.run / names.PARAMS) == make_task()
    return not findings


def _told_apart(whole: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Leaves that say something else. JSON has one kind of number: a reader of floats takes 1 and 1.0 for the same."""
    for where, old, new in changed(whole, now, ""):
        numbers = [type(value) in (int, float) for value in (old, new)]
        if not (all(numbers) and old == new):
            yield where, old, new


def _check_contract(world: World, data: bytes, *, changed_policy: bool = False) -> bool:
    """The contract against the seeds. Accepted: only what was measured, or what only code tells, has changed."""
    _, seeds, _ = check_sweep(world.sweep, None)
    findings = check_policy(world.policy.parent, seeds)
    for finding in findings:
        require_one_line(str(finding))
    if findings:
        return False
    assert not changed_policy
    for where, old, new in _told_apart(parse_json(world.whole[world.contract]), json.loads(data)):
        free = where.startswith(MEASURED) or where.endswith("meaning") or ".columns[" in where
        assert free, f"{where} became {new!r} from {old!r}, and no finding"
    return True


def _check_curve(world: World, data: bytes) -> bool:
    """Accepted: the rows of every iteration, once, in order, with finite returns."""
    findings = check_path(world.sweep).findings
    for finding in findings:
        require_one_line(str(finding))
    progress = read_progress(world.run / names.CURVE)
    assert progress is None or progress.iteration >= 0
    with suppress(GenelabError):
        curves.read_whole_rows(world.run / names.CURVE)
    if not findings:
        rows = [parse_json(line) for line in data.splitlines()]
        assert [row["iteration"] for row in rows] == sorted({row["iteration"] for row in rows})
        assert rows[-1]["iteration"] == make_task().train.iterations - 1
    return not findings


def _restore(path: Path) -> None:
    """A worker restores the task, whose digest an attacker fits. Accepted: it says what the file says."""
    data = {part: read_json(path / names.PARAMS / f"{part}.json") for part in names.PARTS}
    run_file = path / names.RUN
    whole = run_file.read_bytes()
    record = {**json.loads(whole), "config_sha256": config_sha256(load_task(data, path))}
    try:
        run_file.write_text(json.dumps(record))
        task = RunDir(path).task()
    finally:
        run_file.write_bytes(whole)
    # A field that is gone takes its default.
    found = snapshots.differences(data, dump_task(task))
    assert [change for change in found if change[1] is not None and not change[0].endswith("(order)")] == []
    assert load_task(dump_task(task), "") == task


def _read_published(world: World) -> None:
    """Accepted: every row says what the file says."""
    rows = read_published(world.store)
    stored = parse_json(world.published.read_bytes())
    assert stored == [row.model_dump(mode="json") for row in rows]
    compose(world.store, world.docs)


def _check_picture(world: World, *, changed: bool) -> bool:
    """Accepted: nothing but the whole picture."""
    found = differences(compose(world.store, world.docs))
    for line in found:
        require_one_line(line)
    assert bool(found) == changed
    return not found


def _read_checkpoint(world: World) -> None:
    """Accepted: finite tensors that fit the network, or the network refuses them."""
    loaded = checkpoints.load(world.checkpoint)
    assert type(loaded.iteration) is int
    assert loaded.iteration >= 0
    assert len(loaded.config_sha256) == 64
    for tensor in (*loaded.actor.values(), *loaded.critic.values()):
        assert torch.isfinite(tensor).all()
    files.save(world.root / "again.pt", loaded)
    assert checkpoints.load(world.root / "again.pt").weights_sha256 == loaded.weights_sha256
    load_actor(loaded, world.agent, 1, "model.pt")


def _read_returns(world: World) -> None:
    (rows,) = recorded_observations(world.round_trip, make_task().protocol, {"policy": 3})
    assert rows.dtype == torch.float32
    assert 1 <= len(rows) <= 1024
    assert bool(rows.isfinite().all())
