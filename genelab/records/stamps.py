"""Stamps: which code, packages, machine and flags stood behind a number."""

from itertools import chain
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, Field, JsonValue, PositiveFloat, PositiveInt, StringConstraints

from genelab.config.base import Sha256
from genelab.config.scene import EngineName
from genelab.config.snapshot import differences
from genelab.records.base import Record

Commit = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
"""A git commit in lower-case hexadecimal, by SHA-1 or SHA-256."""

ENGINE_PACKAGES = {
    "genesis": ("genesis-world", "quadrants"),
    "mujoco": ("mujoco",),
    "gymnasium": ("gymnasium", "mujoco"),
}
"""What decides on the physics, by simulator."""
REQUIRED_PACKAGES = ("python", "genelab", "torch", "numpy")
"""What the `packages` of a record names at least."""
TRAINER_PACKAGES = {"rsl_rl": ("rsl-rl-lib",), "stable_baselines3": ("stable-baselines3", "sb3-contrib")}
"""Distributions of each trainer."""
NO_SUMS = ("pydantic",)
"""What `packages` of a record names beside, without a part in sums. Any other name is one that the environment gave."""


class CodeStamp(Record):
    """The source of one package."""

    name: str
    """Import name, for example `genelab`."""
    version: str
    """Installed version."""
    commit: Commit | None
    """Git commit of the checkout; null for an installed wheel, or if git did not tell."""
    dirty: bool | None
    """Whether tracked files differed from the commit; null without a checkout, or if git failed."""
    diff_sha256: Sha256 | None = None
    """Digest of that difference; null if there is none, or not all of it could be read."""
    problem: str | None = None
    """Why something above is unknown, as far as there is a checkout; null if nothing is."""


class GpuStamp(Record):
    """The graphics processor in use."""

    name: str
    """Name as the driver gives it."""
    count_visible: PositiveInt
    """Devices visible to the process."""
    memory_bytes: PositiveInt
    """Memory of the device, bytes."""
    driver: str | None
    """Driver version; null if not readable."""
    cuda_driver: str | None
    """Newest CUDA version the driver supports; null if not readable."""
    cuda_runtime: str | None
    """CUDA version torch was built for; null if none."""
    compute_capability: str
    """For example `9.0`."""
    power_limit_w: PositiveFloat | None = None
    """Power limit in force, W; null if not readable."""
    mig: bool | None = None
    """Whether the device is partitioned; null if not readable."""
    ecc: bool | None = None
    """Whether memory error correction is on; null if not readable."""


class CpuStamp(Record):
    """The processor."""

    model: str
    """Model name; begins with `unknown` if the system tells none."""
    physical_cores: PositiveInt | None
    """Cores without hyper-threads; null if not readable."""
    logical_cores: PositiveInt
    """Cores the system reports."""
    usable_cores: PositiveInt
    """Cores this process may run on (affinity and container quota)."""


class HardwareStamp(Record):
    """The machine."""

    gpu: GpuStamp | None
    """Device the process computed on; null on CPU, whatever is plugged in."""
    cpu: CpuStamp
    """Processor."""
    ram_bytes: PositiveInt | None
    """Memory this process may use, bytes (container limit included); null if not readable."""
    os: str
    """Operating system and its version."""
    kernel: str
    """Kernel release."""
    libc: str | None = None
    """C library and its version; null if not readable."""
    container: str | None = None
    """Kind of container, for example `docker`; null if none was recognised."""
    machine_hash: str
    """Digest over what determines results and speed. Equal on equal machines, names none."""


class TorchStamp(Record):
    """torch flags in force."""

    deterministic: bool
    """torch.use_deterministic_algorithms."""
    allow_tf32: bool
    """Whether float32 products may be rounded to TF32."""
    cudnn_benchmark: bool
    """Whether cuDNN picks kernels by timing them."""
    num_threads: PositiveInt
    """Threads of one operation. Float sums depend on it."""
    instruction_set: str
    """Vector instructions of the processor that torch uses, for example `AVX2`. Float sums depend on it."""


class BackendStamp(Record):
    """Simulator and tensor library as they ran."""

    engine: EngineName
    """Simulator."""
    runs_on: Literal["cpu", "cuda", "amdgpu", "metal", "vulkan"]
    """What the simulator computes on."""
    precision: Literal["32", "64"] | None
    """Float width of the simulator, bits; null where it does not say."""
    env: dict[str, str]
    """Every variable in force named QD_*, GS_*, CUDA_*, CUBLAS_*, OMP_*, MKL_*, ONEDNN_*, DNNL_*, ATEN_*, KMP_* or
    TORCH_*. Values that name a directory are left out."""
    torch: TorchStamp
    """torch."""
    engine_options: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Options of the simulator that are in force, the determinism flag among them."""


def _required_packages(packages: dict[str, str]) -> dict[str, str]:
    missing = [name for name in REQUIRED_PACKAGES if name not in packages]
    if missing:
        raise ValueError(f"no version given for {', '.join(missing)}")
    return packages


Packages = Annotated[dict[str, str], AfterValidator(_required_packages), Field(min_length=1)]
"""Versions by distribution name, `python` among them."""


class Stamped(Protocol):
    """What tells of a process: a record of it, or its stamps."""

    @property
    def packages(self) -> dict[str, str] | None:
        """Versions by distribution name."""
        ...

    @property
    def hardware(self) -> HardwareStamp | None:
        """Machine."""
        ...

    @property
    def backend(self) -> BackendStamp | None:
        """Flags in force."""
        ...


def other_sums(old: Stamped, new: Stamped, trainer: str) -> tuple[str, ...]:
    """What differs between two processes of all that float sums depend on, but for variables of the environment.

    Args:
        old: the process that came first.
        new: the other one.
        trainer: `agent.trainer`.

    Returns:
        Each as `name: old -> new`; empty if equal inputs give equal sums in both.
    """
    engines = {stamped.backend.engine for stamped in (old, new) if stamped.backend is not None}
    of_engines = [name for engine in sorted(engines) for name in ENGINE_PACKAGES[engine]]
    own = (*REQUIRED_PACKAGES, *of_engines, *TRAINER_PACKAGES[trainer])
    usual = {*own, *NO_SUMS, *chain(*ENGINE_PACKAGES.values(), *TRAINER_PACKAGES.values())}
    of_environment = sorted({*(old.packages or {}), *(new.packages or {})} - usual)
    names = (*own, *of_environment)
    before, now = ({name: (stamped.packages or {}).get(name) for name in names} for stamped in (old, new))
    found = [*differences(before, now), *differences(_deciding(old), _deciding(new))]
    return tuple(f"{path}: {a} -> {b}" for path, a, b in found)


def _deciding(stamped: Stamped) -> dict[str, Any]:
    backend, hardware = stamped.backend, stamped.hardware
    told: dict[str, Any] = {} if backend is None else {"backend": backend.model_dump(mode="json", exclude={"env"})}
    if hardware is not None:
        told["hardware"] = {"cpu": {"model": hardware.cpu.model}, "gpu": hardware.gpu and hardware.gpu.name}
    return told
