"""NVIDIA GPUs: the one a process computes on, and those that a sweep may share out."""

import importlib
import logging
import os
from contextlib import suppress
from typing import Any

from genelab.records.stamps import GpuStamp

nvml: Any = importlib.import_module("pynvml")
"""NVIDIA's binding, which ships no types. It loads the driver's library at `nvmlInit`."""
_log = logging.getLogger(__name__)


def visible_gpus() -> list[str]:
    """Identifiers for CUDA_VISIBLE_DEVICES of the GPUs this process may use, without starting CUDA.

    Empty without a driver. Also if the driver does not answer, with a warning: then each process takes what CUDA gives.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return _told_of_each("nvmlDeviceGetUUID")


def gpu_names() -> list[str]:
    """Names of the GPUs of this machine, as in a GPU stamp. Empty without a driver or if it does not answer."""
    return _told_of_each("nvmlDeviceGetName")


def _told_of_each(query: str) -> list[str]:
    try:
        nvml.nvmlInit()
        handles = (nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount()))
        return [str(getattr(nvml, query)(handle)) for handle in handles]
    except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):
        return []
    except nvml.NVMLError as error:
        _log.warning("warning: the NVIDIA driver does not say which GPUs there are (%s); seeds share the first", error)
        return []
    finally:
        _shutdown()


def gpu_stamp(index: int) -> GpuStamp:
    """The CUDA device `index` of this process; what the driver does not tell is null. Imports torch."""
    torch: Any = importlib.import_module("torch")
    properties = torch.cuda.get_device_properties(index)
    power_mw = mig = ecc = None
    try:
        _readable("nvmlInit")
        driver = _readable("nvmlSystemGetDriverVersion")
        cuda_driver = _readable("nvmlSystemGetCudaDriverVersion")
        # By UUID, since CUDA_VISIBLE_DEVICES renumbers what torch sees but not what NVML does.
        handle = _readable("nvmlDeviceGetHandleByUUID", f"GPU-{getattr(properties, 'uuid', None)}")
        if handle is not None:
            power_mw = _readable("nvmlDeviceGetEnforcedPowerLimit", handle)
            mig = _readable("nvmlDeviceGetMigMode", handle)
            ecc = _readable("nvmlDeviceGetEccMode", handle)
    finally:
        _shutdown()
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


def _readable(query: str, *arguments: Any) -> Any:
    """Result of an NVML query; None where this driver, this device or this user cannot answer it."""
    try:
        return getattr(nvml, query)(*arguments)
    except nvml.NVMLError:
        return None


def _shutdown() -> None:
    # One that never came up cannot be shut down.
    with suppress(nvml.NVMLError):
        nvml.nvmlShutdown()
