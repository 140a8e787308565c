"""What runs on the nodes of a Ray cluster. Ray imports it there, so each node has genelab installed."""

import importlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from genelab.errors import InputError
from genelab.runs.code import code_stamp, package_versions
from genelab.runs.gpu import gpu_names
from genelab.runs.hardware import hardware_stamp
from genelab.runs.lock import locked
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import Phase
from genelab.sweep.executors.files import Change, Sender
from genelab.sweep.executors.local import WORKER, LocalJob

LOOK_S = 1.0
"""Time between two looks at which nodes are alive, and at which files a worker changed, s."""
SCRATCH = "genelab-ray-"
"""Prefix of the directories of tasks, below the node's folder for temporary files."""


def import_ray() -> Any:
    """Ray, which takes two seconds to import and is no dependency of genelab."""
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise InputError("--executor ray: Ray is not installed; pip install 'genelab[ray]'") from error


class Started(NamedTuple):
    """The worker runs."""

    pid: int


class Ended(NamedTuple):
    """The worker has ended, and all its files were told."""

    code: int
    last_line: str | None


def probe(packages: Sequence[str]) -> dict[str, Any]:
    """What a machine says of itself: its code, versions, processor and GPUs."""
    code = {package: code_stamp(package).model_dump(mode="json") for package in packages}
    return {
        "code": code,
        "packages": package_versions(),
        "cpu": hardware_stamp("cpu").cpu.model,
        "gpus": gpu_names(),
    }


def work(
    command: Sequence[str], phase: Phase, place: str, files: Mapping[str, Sequence[Any]], env: Mapping[str, str]
) -> Generator[Started | Change | Ended]:
    """Run a phase of a seed on this node.

    Args:
        command: starts a worker; empty for the one of this node's genelab.
        phase: what to do.
        place: directory of the seed, absolute. It is mirrored below the task's own directory, with its surroundings.
        files: pieces of each file that the worker needs, as references to Ray objects, by absolute path.
        env: variables of the worker.
    """
    with _scratch() as root:
        for path, pieces in files.items():
            copy = root / path.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as file:
                for piece in pieces:
                    file.write(import_ray().get(piece))
        run_dir = RunDir(root / place.lstrip("/"))
        sender = Sender(run_dir.path)
        job = LocalJob([*(command or WORKER), phase, str(run_dir.path)], run_dir.train_log, phase, os.environ | env)
        try:
            yield Started(job.pid)
            while True:
                code = job.poll()
                yield from sender.changes()
                if code is not None:
                    yield Ended(code, job.last_line())
                    return
                time.sleep(LOOK_S)
        finally:
            job.kill()


def send_stop(pid: int) -> None:
    """Ask a worker on this node to save its state and to end."""
    os.kill(pid, signal.SIGTERM)


@contextmanager
def _scratch() -> Generator[Path]:
    """A directory for a task. What killed tasks left is removed."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}{os.getuid()}-*"):
        # In use, or another task removes it.
        with suppress(InputError), locked(left):
            shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f".{SCRATCH}"))
    folder = made.with_name(f"{SCRATCH}{os.getuid()}-{made.name.rpartition('-')[2]}")
    try:
        with locked(made):
            # Under that name it is removed unless it is locked.
            made.rename(folder)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
