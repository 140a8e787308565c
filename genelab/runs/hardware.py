"""The machine as a process sees it."""

import os
import platform
from pathlib import Path

import psutil

from genelab.config.snapshot import sha256_json
from genelab.records.stamps import CpuStamp, HardwareStamp
from genelab.runs.gpu import gpu_stamp


def hardware_stamp(device: str) -> HardwareStamp:
    """The machine as this process sees it. device: resolved, `cpu` or `cuda:<i>`."""
    info = _cpu_info()
    cpu = CpuStamp(
        model=info.get("model name") or platform.processor() or platform.machine(),
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count() or 1,
        usable_cores=usable_cores(),
    )
    gpu = None if device == "cpu" else gpu_stamp(int(device.partition(":")[2] or 0))
    ram = min(psutil.virtual_memory().total, _cgroup_number("memory.max", "memory/memory.limit_in_bytes"))
    # Not what differs between two processes of one machine: a GPU slot sees one device of several.
    device_kind = gpu and gpu.model_dump(exclude={"count_visible", "cuda_runtime"})
    deciding = [cpu.model_dump(), info.get("flags"), platform.machine(), round(ram / 2**30), device_kind]
    return HardwareStamp(
        gpu=gpu,
        cpu=cpu,
        ram_bytes=int(ram),
        os=platform.freedesktop_os_release().get("PRETTY_NAME", "Linux") if _has_os_release() else platform.system(),
        kernel=platform.release(),
        libc=" ".join(platform.libc_ver()).strip() or None,
        container=_container(),
        machine_hash=sha256_json(deciding)[:16],
    )


def usable_cores() -> int:
    """Cores this process may keep busy: affinity and container quota, at least 1."""
    quota, _, period = _cgroup_text("cpu.max").partition(" ")
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, int(quota) // int(period))) if quota.isdigit() else allowed


def _cpu_info() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    first = path.read_text().partition("\n\n")[0] if path.is_file() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _has_os_release() -> bool:
    return any(Path(path).is_file() for path in ("/etc/os-release", "/usr/lib/os-release"))


def _cgroup_text(name: str) -> str:
    path = Path("/sys/fs/cgroup") / name
    return path.read_text().strip() if path.is_file() else ""


def _cgroup_number(*names: str) -> float:
    return min((int(text) for text in map(_cgroup_text, names) if text.isdigit()), default=float("inf"))


def _container() -> str | None:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    marks = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
    return next((kind for mark, kind in marks.items() if Path(mark).exists()), None)
