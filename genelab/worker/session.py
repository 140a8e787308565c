"""Starts the simulator of a worker process and stamps what it runs on."""

from typing import TYPE_CHECKING

from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.records.stamps import BackendStamp, TorchStamp
from genelab.runs.stamps import Stamps, collect, environment_flags

if TYPE_CHECKING:
    from genelab.sim.session import Session


Started = tuple["Session", Stamps]
"""A running simulator, and the stamps of the process."""


def start_session(seed: int, execution: ExecutionCfg, task: TaskSpec) -> Started:
    """Seed everything, start Genesis, and collect the stamps of a process that works on `task`.

    Raises:
        InputError: if a term is wrong, or the device does not exist.
        RunError: if Genesis comes up otherwise than asked.
    """
    import torch

    from genelab.envs.terms import check_terms
    from genelab.learn.backend import backend_of
    from genelab.sim.session import resolve_device, start

    check_terms(task.env)
    session = start(seed, resolve_device(execution.device), execution.threads)
    backend = BackendStamp.model_validate(
        {
            "genesis": session.backend,
            "precision": session.precision,
            "env": environment_flags(),
            "torch": TorchStamp(
                deterministic=torch.are_deterministic_algorithms_enabled(),
                allow_tf32=bool(torch.backends.cuda.matmul.allow_tf32),
                cudnn_benchmark=torch.backends.cudnn.benchmark,
                num_threads=session.threads,
                linear=backend_of(task.agent).multiplier(session.device),
            ),
            "genesis_options": session.genesis_options(),
        }
    )
    return session, collect(task.package, str(session.device), backend)
