"""The machine as a process sees it. What the system does not tell is null or called unknown; nothing here fails."""

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from genelab.config.snapshot import sha256_json
from genelab.records.stamps import CpuStamp, HardwareStamp
from genelab.runs.gpu import gpu_stamp

T = TypeVar("T")

CPU_INFO = Path("/proc/cpuinfo")
CGROUP = Path("/sys/fs/cgroup")
MODEL_KEYS = ("model name", "cpu model", "Model", "Hardware", "cpu")
"""What /proc/cpuinfo calls the processor: x86, MIPS, and the ARM and POWER kernels that say it at all."""
ARM_KEYS = ("CPU implementer", "CPU part", "CPU variant", "CPU revision")
"""What it says on ARM instead of a name."""


def hardware_stamp(device: str) -> HardwareStamp:
    """The machine as this process sees it. device: resolved, `cpu` or `cuda:<i>`."""
    info = _cpu_info()
    cpu = CpuStamp(
        model=_cpu_model(info),
        physical_cores=_told(lambda: psutil.cpu_count(logical=False)) or None,
        logical_cores=_told(psutil.cpu_count) or os.cpu_count() or 1,
        usable_cores=usable_cores(),
    )
    gpu = None if device == "cpu" else gpu_stamp(int(device.partition(":")[2] or 0))
    limits = (
        _told(lambda: psutil.virtual_memory().total),
        _cgroup_number("memory.max", "memory/memory.limit_in_bytes"),
    )
    ram = min((limit for limit in limits if limit), default=None)
    # Not what differs between two processes of one machine: a GPU slot sees one device of several.
    device_kind = gpu and gpu.model_dump(exclude={"count_visible", "cuda_runtime"})
    flags = info.get("flags", info.get("Features"))
    deciding = [cpu.model_dump(), flags, platform.machine(), ram and round(ram / 2**30), device_kind]
    release = _told(platform.freedesktop_os_release) or {}
    return HardwareStamp(
        gpu=gpu,
        cpu=cpu,
        ram_bytes=ram,
        os=release.get("PRETTY_NAME") or platform.system() or "unknown",
        kernel=platform.release() or "unknown",
        libc=" ".join(_told(platform.libc_ver) or ()).strip() or None,
        container=_container(),
        machine_hash=sha256_json(deciding)[:16],
    )


def usable_cores() -> int:
    """Cores this process may keep busy: affinity and container quota, at least 1."""
    # macOS knows no affinity.
    affinity = _told(lambda: os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    allowed = len(affinity or ()) or os.cpu_count() or 1
    quota, _, period = _text(CGROUP / "cpu.max").partition(" ")
    limited = quota.isdigit() and period.isdigit() and int(period) > 0
    return max(1, min(allowed, int(quota) // int(period))) if limited else allowed


def _told(query: Callable[[], T]) -> T | None:
    """Result of a query to the system; None where it fails."""
    try:
        return query()
    # psutil and platform pass on what the system raises, and RuntimeError or ValueError on text they do not know.
    except (OSError, psutil.Error, RuntimeError, ValueError, NotImplementedError):
        return None


def _text(path: Path) -> str:
    return (_told(lambda: path.read_text(errors="replace")) or "").strip()


def _cpu_info() -> dict[str, str]:
    """Fields of the first processor that /proc/cpuinfo tells; empty without it."""
    # On some ARM kernels the model of the board stands in a block of its own, at the end.
    pairs = (line.partition(":") for line in reversed(_text(CPU_INFO).splitlines()) if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _cpu_model(info: dict[str, str]) -> str:
    named = next((info[key] for key in MODEL_KEYS if info.get(key)), None)
    if named:
        return named
    arm = [f"{key.removeprefix('CPU ')} {info[key]}" for key in ARM_KEYS if info.get(key)]
    return f"unknown ({', '.join([platform.processor() or platform.machine() or 'no architecture', *arm])})"


def _cgroup_number(*names: str) -> int | None:
    return min((int(text) for text in (_text(CGROUP / name) for name in names) if text.isdigit()), default=None)


def _container() -> str | None:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    marks = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
    return next((kind for mark, kind in marks.items() if os.path.exists(mark)), None)  # noqa: PTH110 it never raises
