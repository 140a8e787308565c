"""Writes a policy file and its contract, after the file has shown that it acts as the policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from genelab import progress
from genelab.config.task import TaskSpec
from genelab.errors import InputError, RunError
from genelab.export import onnx, torchscript
from genelab.export.contract import contract, observation
from genelab.export.parity import Inputs, Runner, measure
from genelab.learn import checkpoint as checkpoints
from genelab.learn.backend import backend_of
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.round_trip import recorded_observations
from genelab.records.contract import input_names
from genelab.records.export import ExportedFile, ExportFormat, ExportRecord, Parity
from genelab.records.files import sha256_file
from genelab.records.stamps import TRAINER_PACKAGES
from genelab.runs.files import atomic_path, write_record
from genelab.runs.run_dir import RunDir


@dataclass(frozen=True)
class Format:
    """A file format."""

    serialise: Callable[[nn.Module, Mapping[str, int]], bytes]
    """Of a module and the width of each of its inputs by name."""
    load: Callable[[Path], Runner]
    packages: tuple[str, ...]
    """Distributions that write and check its files, beside the trainer's."""


FORMATS: dict[ExportFormat, Format] = {
    "torchscript": Format(lambda policy, _: torchscript.serialise(policy), torchscript.load, ("torch",)),
    "onnx": Format(onnx.serialise, onnx.load, ("torch", "onnx", "onnxscript", "onnxruntime")),
}


def metadata_path(out: Path) -> Path:
    """Where the contract of a policy file lies."""
    return out.with_name(f"{out.name}.metadata.json")


def export_policy(run_dir: RunDir, checkpoint: Path, file_format: ExportFormat, out: Path) -> ExportRecord:
    """Export the deterministic policy of a checkpoint, its normaliser included, with its contract beside it.

    Raises:
        InputError: if the checkpoint is missing, torn or of another config, the run holds no recorded observations, or
            `out` is something else than an export.
        RunError: if the file does not act as the policy; nothing is written.
    """
    _require_replaceable(out)
    run, task = run_dir.load(), run_dir.task()
    loaded = checkpoints.load_of_run(checkpoint, run_dir)
    source = f"checkpoint '{checkpoint}'"
    learner, groups = backend_of(task.agent), task.agent.actor_groups
    names = input_names(task.agent)
    expected = [observation(task, loaded, *pair, source) for pair in zip(groups, names, strict=True)]
    actor = learner.load_actor(loaded, task.agent, len(task.env.action_columns), source)
    widths = [each.input.shape[1] for each in expected]
    recorded = _recorded_observations(run_dir.round_trip_file, task, dict(zip(groups, widths, strict=True)))
    progress.phase(f"exporting to {file_format} and comparing")
    trained = checkpoints.claim_of(checkpoint, loaded)
    chosen = FORMATS[file_format]
    data = chosen.serialise(learner.deployable(actor), dict(zip(names, widths, strict=True)))
    policy = DeterministicPolicy(actor, torch.device("cpu"), groups)
    packages = (*TRAINER_PACKAGES[task.agent.trainer], *chosen.packages)

    def native(*rows: Tensor) -> Tensor:
        return policy(dict(zip(groups, rows, strict=True)))

    def describe(written: Path, parity: Parity) -> ExportRecord:
        file = ExportedFile(name=out.name, format=file_format, sha256=sha256_file(written), bytes=len(data))
        return contract(run, task.env, trained, file, expected, parity, packages)

    return write_checked(out, data, chosen.load, native, recorded, describe)


def write_checked(
    out: Path,
    data: bytes,
    load: Callable[[Path], Runner],
    native: Runner,
    recorded: Inputs,
    describe: Callable[[Path, Parity], ExportRecord],
) -> ExportRecord:
    """Write a policy file and its contract, both or neither.

    Raises:
        RunError: if the file as loaded does not act as `native`; what stood at `out` before is intact.
    """
    # Left in reverse order: the contract appears last, and does not if the policy file could not.
    with atomic_path(metadata_path(out)) as metadata, atomic_path(out) as model:
        model.write_bytes(data)
        parity = measure(native, load(model), recorded)
        if not parity.passed:
            raise RunError(
                f"parity: actions of '{out.name}' differ by up to {parity.max_abs_difference:.3g} from those of the "
                f"checkpoint; allowed: {parity.tolerance:.3g}"
            )
        record = describe(model, parity)
        write_record(metadata, record)
    return record


def _require_replaceable(out: Path) -> None:
    """Check that nothing but an export would be replaced."""
    metadata = metadata_path(out)
    if metadata.is_dir():
        raise InputError(f"cannot write '{metadata}': it is a directory")
    if out.exists() and not metadata.exists():
        raise InputError(f"'{out}' exists and is no export: there is no '{metadata.name}' beside it")


def _recorded_observations(path: Path, task: TaskSpec, widths: Mapping[str, int]) -> Inputs:
    """The observations that training left of each group. Shape of each: (rows, width)."""
    if not path.is_file():
        raise InputError(
            f"'{path}' is missing: it holds the observations, recorded when training ends, that the exported policy "
            "is compared on"
        )
    return recorded_observations(path, task.protocol, widths)
