"""Collects the stamps of a process: source, versions, machine and flags in force."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from genelab.records.run import Attempt
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp
from genelab.runs.code import code_stamp, package_versions
from genelab.runs.hardware import hardware_stamp

FLAG_PREFIXES = (
    *("QD_", "GS_", "CUDA_", "CUBLAS_", "OMP_", "MKL_"),
    *("ONEDNN_", "DNNL_", "ATEN_", "KMP_", "TORCH_"),
)
"""Variables that a record names."""
A_PATH = "<path>"
"""Stands for a variable that holds one."""
SUM_FLAGS = (
    # Settings of the simulator and its compiler.
    *("QD_", "GS_"),
    # How many threads share a sum.
    *("OMP_NUM_THREADS", "OMP_DYNAMIC", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "MKL_DOMAIN_NUM_THREADS", "MKL_DYNAMIC"),
    # Which kernels add it up, in what precision.
    *("ATEN_CPU_", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DISABLE_FAST_MM", "CUBLAS_"),
    *(f"{name}_{of}" for name in ("ONEDNN", "DNNL") for of in ("MAX_CPU_ISA", "CPU_ISA_HINTS", "DEFAULT_FPMATH")),
    *(f"TORCH_{of}" for of in ("ALLOW_TF32", "BLAS_PREFER", "CUDNN", "LINALG_PREFER", "LINEAR", "MKLDNN_MATMUL")),
)
"""Beginnings of those that can change float sums, so that a seed cannot go on with other values."""


@dataclass(frozen=True)
class Stamps:
    """Everything a record says about the process that made it."""

    code: tuple[CodeStamp, ...]
    packages: dict[str, str]
    hardware: HardwareStamp
    backend: BackendStamp

    def attempt(self, from_iteration: int) -> Attempt:
        """An attempt that starts now on this machine."""
        return Attempt(
            started_at=datetime.now(UTC), from_iteration=from_iteration, machine_hash=self.hardware.machine_hash
        )


def collect(task_package: str, device: str, backend: BackendStamp, packages: Sequence[str] = ()) -> Stamps:
    """Collect the stamps.

    Args:
        task_package: import name of the package that defines the task.
        device: resolved, `cpu` or `cuda:<i>`.
        backend: as the simulator and torch came up.
        packages: distributions that its environment depends on beside.
    """
    names = dict.fromkeys(("genelab", task_package.partition(".")[0]))
    code = tuple(code_stamp(name) for name in names)
    return Stamps(code, package_versions(packages), hardware_stamp(device), backend)


def environment_flags() -> dict[str, str]:
    """Every variable in force that steers the libraries, by prefix. A path reads `<path>`."""
    found = {name: value for name, value in sorted(os.environ.items()) if name.startswith(FLAG_PREFIXES)}
    return {name: A_PATH if os.sep in value else value for name, value in found.items()}
