import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from genelab.records.stamps import GpuStamp
from genelab.runs.gpu import gpu_stamp, visible_gpus

LOST, UNKNOWN = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST), pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)
ABSENT = pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
UNLOADED = pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
MISMATCH = pynvml.NVMLError(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH)
NEVER_UP = pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)

Driver = Callable[..., None]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver of two GPUs that fails where told, as `driver(nvmlInit=error)`; torch sees the first."""

    def install(**errors: Exception) -> None:
        up: list[bool] = []
        answers: dict[str, Callable[..., Any]] = {
            "nvmlInit": lambda: up.append(True),
            "nvmlShutdown": up.pop,
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetHandleByUUID": lambda uuid: int(uuid[-1]),
            "nvmlDeviceGetUUID": lambda index: f"GPU-{index}",
            "nvmlSystemGetDriverVersion": lambda: "570.1",
            "nvmlSystemGetCudaDriverVersion": lambda: 12080,
            "nvmlDeviceGetEnforcedPowerLimit": lambda _: 700000,
            "nvmlDeviceGetMigMode": lambda _: (0, 0),
            "nvmlDeviceGetEccMode": lambda _: (1, 1),
        }
        for name, answer in answers.items():
            error = errors.get(name) or (NEVER_UP if "nvmlInit" in errors else None)
            monkeypatch.setattr(pynvml, name, _raises(error) if error else answer)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    properties = SimpleNamespace(name="H100", uuid="0", total_memory=80, major=9, minor=0)
    cuda = SimpleNamespace(get_device_properties=lambda _: properties, device_count=lambda: 1)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="12.8")))
    install()
    return install


def _raises(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_driver_that_answers(driver: Driver) -> None:
    assert visible_gpus() == ["GPU-0", "GPU-1"]
    stamp = gpu_stamp(0)
    assert (stamp.driver, stamp.cuda_driver, stamp.power_limit_w, stamp.mig, stamp.ecc) == (
        *("570.1", "12.8", 700.0),
        *(False, True),
    )


@pytest.mark.parametrize("error", [ABSENT, UNLOADED])
def test_no_driver_is_no_gpu(error: Exception, driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    driver(nvmlInit=error)
    assert visible_gpus() == []
    assert caplog.text == ""


@pytest.mark.parametrize(
    "errors",
    [
        {"nvmlInit": MISMATCH},
        {"nvmlDeviceGetCount": UNKNOWN},
        {"nvmlDeviceGetHandleByIndex": LOST},
        {"nvmlDeviceGetUUID": LOST},
    ],
)
def test_a_driver_that_fails_half_way_warns(
    errors: dict[str, Exception], driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    driver(**errors)
    assert visible_gpus() == []
    assert "the NVIDIA driver does not say which GPUs there are" in caplog.text


@pytest.mark.parametrize(
    ("errors", "nulls"),
    [
        ({"nvmlInit": MISMATCH}, {"driver", "cuda_driver", "power_limit_w", "mig", "ecc"}),
        ({"nvmlDeviceGetHandleByUUID": UNKNOWN}, {"power_limit_w", "mig", "ecc"}),
        ({"nvmlDeviceGetEnforcedPowerLimit": LOST, "nvmlDeviceGetEccMode": LOST}, {"power_limit_w", "ecc"}),
        ({"nvmlSystemGetDriverVersion": UNKNOWN}, {"driver"}),
        ({"nvmlShutdown": UNKNOWN}, set()),
    ],
)
def test_what_the_driver_does_not_tell_is_null(errors: dict[str, Exception], nulls: set[str], driver: Driver) -> None:
    driver(**errors)
    stamp = gpu_stamp(0)
    assert {name for name in GpuStamp.model_fields if getattr(stamp, name) is None} == nulls
    assert (stamp.name, stamp.memory_bytes, stamp.compute_capability) == ("H100", 80, "9.0")
