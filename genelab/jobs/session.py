"""Starts the engine of a process and stamps what it runs on."""

from collections.abc import Sequence

import torch

from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.config.vector import VectorEnvCfg
from genelab.envs.terms import check_terms
from genelab.records.stamps import BackendStamp, TorchStamp
from genelab.runs.stamps import Stamps, collect, environment_flags
from genelab.sim.make import start
from genelab.sim.session import Session

Started = tuple[Session, Stamps]
"""What the process runs on, and the stamps of the process."""


def start_session(seed: int, execution: ExecutionCfg, task: TaskSpec, *, running: Session | None = None) -> Started:
    """Seed everything, start the engine unless it runs, and collect the stamps of a process that works on `task`.

    Raises:
        InputError: if a term is wrong, or the device does not exist.
        RunError: if the engine comes up otherwise than asked.
    """
    check_terms(task)
    session = running or start(seed, execution.device, execution.threads, task.env.engine)
    packages = task.env.packages if isinstance(task.env, VectorEnvCfg) else ()
    return session, stamps_of(session, task.package, packages)


def stamps_of(session: Session, package: str, packages: Sequence[str] = ()) -> Stamps:
    """What a record says about a process that works on a task of a package, whose environment depends on `packages`."""
    backend = BackendStamp.model_validate(
        {
            **session.stamp,
            "env": environment_flags(),
            "torch": TorchStamp(
                deterministic=torch.are_deterministic_algorithms_enabled(),
                allow_tf32=bool(torch.backends.cuda.matmul.allow_tf32),
                cudnn_benchmark=torch.backends.cudnn.benchmark,
                num_threads=session.threads,
                instruction_set=torch.backends.cpu.get_cpu_capability(),
            ),
        }
    )
    return collect(package, str(session.device), backend, packages)
