import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from genelab.records.stamps import HardwareStamp
from genelab.runs import hardware
from genelab.runs.hardware import hardware_stamp, usable_cores

NEOVERSE = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

processor\t: 1
Features\t: fp
CPU implementer\t: 0x42
"""
RASPBERRY = NEOVERSE + "\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
POWER = "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 2300MHz\n"


@pytest.fixture
def cpu_info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for /proc/cpuinfo; missing until it is written."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(hardware, "CPU_INFO", path)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    return path


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("model name : Fast\nflags : a b\n\nmodel name : Slow\n", "Fast"),
        (NEOVERSE, "unknown (aarch64, implementer 0x41, part 0xd0c, variant 0x3, revision 1)"),
        (RASPBERRY, "Raspberry Pi 4 Model B Rev 1.4"),
        (POWER, "POWER9, altivec supported"),
        ("model name :\n", "unknown (aarch64)"),
        ("\0\udcff no colon \n", "unknown (aarch64)"),
        ("", "unknown (aarch64)"),
    ],
)
def test_a_processor_without_a_name_is_called_unknown(text: str, model: str, cpu_info: Path) -> None:
    cpu_info.write_bytes(text.encode(errors="surrogateescape"))
    assert hardware_stamp("cpu").cpu.model == model


def test_processors_that_the_system_tells_apart_are_other_machines(cpu_info: Path) -> None:
    hashes: set[str] = set()
    for text in (NEOVERSE, NEOVERSE.replace("0xd0c", "0xd40"), NEOVERSE.replace("fp asimd", "fp sve")):
        cpu_info.write_text(text)
        hashes.add(hardware_stamp("cpu").machine_hash)
    assert len(hashes) == 3


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(path), lambda _: None])
def test_an_unreadable_cpuinfo_is_an_unknown_processor(make: Callable[[Path], Any], cpu_info: Path) -> None:
    make(cpu_info)
    assert hardware_stamp("cpu").cpu.model == "unknown (aarch64)"


def test_a_system_like_macos_has_no_affinity(cpu_info: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(hardware, "CGROUP", Path("nowhere"))
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "freedesktop_os_release", _raises(OSError(2, "No such file")))
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    stamp = hardware_stamp("cpu")
    assert (stamp.cpu.usable_cores, stamp.cpu.model, stamp.os) == (8, "unknown (arm)", "Darwin")


def _raises(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [psutil.AccessDenied(), RuntimeError("no /proc"), OSError(13, "denied")])
def test_what_psutil_cannot_read_is_null(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", _raises(error))
    monkeypatch.setattr(psutil, "cpu_count", _raises(error))
    monkeypatch.setattr(hardware, "CGROUP", Path("nowhere"))
    stamp = hardware_stamp("cpu")
    assert (stamp.ram_bytes, stamp.cpu.physical_cores) == (None, None)
    assert stamp.cpu.logical_cores >= 1
    assert HardwareStamp.model_validate_json(stamp.model_dump_json()) == stamp


@pytest.mark.parametrize(
    ("text", "cores"),
    [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 4), ("200000", 4), ("200000 0", 4), ("x", 4), ("", 4)],
)
def test_a_quota_that_says_nothing_is_none(
    text: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert usable_cores() == cores


def test_a_container_limit_bounds_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000000")
    assert hardware_stamp("cpu").ram_bytes == 1000000
    (tmp_path / "memory.max").write_text("max")
    assert hardware_stamp("cpu").ram_bytes == psutil.virtual_memory().total
