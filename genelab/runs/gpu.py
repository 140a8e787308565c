"""NVIDIA GPUs: the one a process computes on, and those that a sweep may share out."""

import importlib
import os
from collections.abc import Callable
from typing import Any

from genelab.records.stamps import GpuStamp


def visible_gpus() -> list[str]:
    """Identifiers for CUDA_VISIBLE_DEVICES of the GPUs this process may use, without starting CUDA."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    nvml = _nvml()
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):
        return []
    try:
        handles = (nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount()))
        return [str(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    finally:
        nvml.nvmlShutdown()


def gpu_stamp(index: int) -> GpuStamp:
    """The CUDA device `index` of this process. Imports torch."""
    torch: Any = importlib.import_module("torch")
    nvml = _nvml()
    properties = torch.cuda.get_device_properties(index)
    nvml.nvmlInit()
    try:
        # By UUID, since CUDA_VISIBLE_DEVICES renumbers what torch sees but not what NVML does.
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{properties.uuid}")
        driver = _readable(nvml.nvmlSystemGetDriverVersion)
        cuda_driver = _readable(nvml.nvmlSystemGetCudaDriverVersion)
        power_mw = _readable(nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        mig = _readable(nvml.nvmlDeviceGetMigMode, handle)
        ecc = _readable(nvml.nvmlDeviceGetEccMode, handle)
    finally:
        nvml.nvmlShutdown()
    return GpuStamp(
        name=properties.name,
        count_visible=torch.cuda.device_count(),
        memory_bytes=properties.total_memory,
        driver=driver,
        cuda_driver=None if cuda_driver is None else f"{cuda_driver // 1000}.{cuda_driver % 1000 // 10}",
        cuda_runtime=torch.version.cuda,
        compute_capability=f"{properties.major}.{properties.minor}",
        power_limit_w=None if power_mw is None else power_mw / 1000.0,
        mig=None if mig is None else bool(mig[0]),
        ecc=None if ecc is None else bool(ecc[0]),
    )


def _nvml() -> Any:
    # The binding ships no types.
    return importlib.import_module("pynvml")


def _readable(query: Callable[..., Any], *arguments: Any) -> Any:
    """Result of an NVML query; None where this device or this user may not read it."""
    nvml = _nvml()
    try:
        return query(*arguments)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission):
        return None
