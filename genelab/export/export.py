"""Writes a policy file and its contract, after the file has shown that it acts as the policy."""

import inspect
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from genelab import __version__, progress
from genelab.config.task import TaskSpec
from genelab.errors import InputError, RunError
from genelab.export import onnx, torchscript
from genelab.export.parity import Inputs, Runner, measure
from genelab.functions import resolve_function
from genelab.learn import checkpoint as checkpoints
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.round_trip import read_round_trip
from genelab.records.contract import action_of, goal_of, input_names, observation_of, robot_of, timing_of
from genelab.records.export import ExportedFile, ExportFormat, ExportRecord, Observation, Parity
from genelab.records.files import sha256_file
from genelab.records.run import RunRecord, TrainedCheckpoint
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
    learner, groups = backend_of(task.agent), task.agent.actor_groups
    actor = learner.load_actor(loaded, task.agent, len(task.env.action_columns), f"checkpoint '{checkpoint}'")
    observed = read_round_trip(run_dir.round_trip_file).observations
    recorded = tuple(observed[group] for group in groups)
    progress.phase(f"exporting to {file_format} and comparing")
    trained, inputs = checkpoints.claim_of(checkpoint, loaded), observations_of(task, loaded)
    chosen = FORMATS[file_format]
    data = chosen.serialise(learner.deployable(actor), {o.input.name: o.input.shape[1] for o in inputs})
    policy = DeterministicPolicy(actor, torch.device("cpu"), groups)
    packages = (*TRAINER_PACKAGES[task.agent.trainer], *chosen.packages)

    def native(*rows: Tensor) -> Tensor:
        return policy(dict(zip(groups, rows, strict=True)))

    def describe(written: Path, parity: Parity) -> ExportRecord:
        file = ExportedFile(name=out.name, format=file_format, sha256=sha256_file(written), bytes=len(data))
        return contract(run, task, trained, file, inputs, parity, packages)

    return write_checked(out, data, chosen.load, native, recorded, describe)


def observations_of(task: TaskSpec, checkpoint: Checkpoint) -> list[Observation]:
    """How to fill each input of a policy."""
    pairs, layout = zip(task.agent.actor_groups, input_names(task.agent), strict=True), checkpoint.layout
    return [
        observation_of(task, g, n, [(row["columns"], row["unit"]) for row in layout[g]], _meaning) for g, n in pairs
    ]


def contract(
    run: RunRecord,
    task: TaskSpec,
    trained: TrainedCheckpoint,
    file: ExportedFile,
    inputs: Sequence[Observation],
    parity: Parity,
    packages: Sequence[str],
) -> ExportRecord:
    """What an exported policy expects and returns, from the snapshot of its run and its checkpoint."""
    env = task.env
    return ExportRecord(
        schema="genelab/export/2",
        task=run.task,
        task_version=run.task_version,
        seed=run.seed,
        config_sha256=run.config_sha256,
        checkpoint=trained,
        file=file,
        observation=inputs[0],
        goals=tuple(inputs[1:]),
        goal=goal_of(env, _meaning),
        action=action_of(env),
        robot=robot_of(env),
        timing=timing_of(env),
        parity=parity,
        versions={
            "python": platform.python_version(),
            "genelab": __version__,
            **{name: version(name) for name in packages},
        },
    )


def _meaning(ref: str) -> str | None:
    documentation = inspect.getdoc(resolve_function(ref))
    return documentation.splitlines()[0] if documentation else None


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
