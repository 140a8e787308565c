"""A GPU rehearsed without one: tensors that say they are on `cuda`, and an engine that hands them out.

Under torch's FakeTensorMode a tensor has a shape, a type and a device and no numbers. To mix devices is an error, and
so is whatever a GPU would have to wait for: a number, a truth value, a boolean mask as an index, a list as an index.
Where waiting is allowed, it goes on with a number of its own.
"""

import dataclasses
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rsl_rl
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import genelab
from genelab.config.env import EnvCfg
from genelab.mdp.state import StateWrite
from genelab.sim.facts import SceneFacts
from genelab.sim.properties import Properties
from genelab.sim.session import Session

CUDA = torch.device("cuda", 0)
LEARNS = [Path(package.__file__ or "").parent for package in (genelab, rsl_rl)]
aten: Any = torch.ops.aten
READS: Any = {
    Tensor.__bool__: "a truth value",
    Tensor.__int__: "a number",
    Tensor.__float__: "a number",
    Tensor.item: "a number",
    Tensor.tolist: "numbers",
}
"""What reads from a GPU."""


class Waits(Exception):  # noqa: N818 it names what a GPU does
    """Something that a GPU would wait for."""


class Indexing(TorchFunctionMode):
    """Does by operators what the Python binding of a torch without CUDA cannot do on such tensors."""

    def __init__(self, allowed: Mapping[str, str] | None = None) -> None:
        """`allowed`: functions that may wait, as `module.function`, each with the reason."""
        super().__init__()
        self.stepping = False
        """Whether a list as an index, which is copied to the device, is an error. Once at the build it may be."""
        self.waited: set[str] = set()
        """Functions that waited."""
        self._allowed = allowed or {}

    def wait(self, told: str) -> None:
        """Note that the GPU is waited for, or raise if the function that does may not."""
        stack = traceback.extract_stack()
        frames = [each for each in stack if any(Path(each.filename).is_relative_to(code) for code in LEARNS)]
        place = f"{Path(frames[-1].filename).stem}.{frames[-1].name}" if frames else "test"
        if place not in self._allowed:
            raise Waits(f"{place}: {told}")
        self.waited.add(place)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        on_gpu = bool(args) and isinstance(args[0], Tensor) and args[0].device.type == "cuda"
        if on_gpu and func is Tensor.__getitem__:
            view, tensors = self._split(args[0], args[1])
            return view if not tensors else aten.index.Tensor(view, tensors)
        if on_gpu and func is Tensor.__setitem__:
            view, tensors = self._split(args[0], args[1])
            value = args[2] if isinstance(args[2], Tensor) else torch.full((), args[2], dtype=view.dtype, device=CUDA)
            return aten.index_put_.default(view, tensors, value) if tensors else aten.copy_.default(view, value)
        if on_gpu and func is Tensor.__invert__:
            return aten.bitwise_not.default(args[0])
        if on_gpu and func is Tensor.copy_:
            return aten.copy_.default(*args)
        if on_gpu and (func is Tensor.cpu or (func is Tensor.to and _names_the_cpu(*args[1:], **(kwargs or {})))):
            self.wait("a copy from the device")
            return torch.zeros(args[0].shape, dtype=args[0].dtype)
        if func in (torch.tensor, torch.as_tensor) and self.stepping and _is_gpu((kwargs or {}).get("device")):
            self.wait("a copy to the device")
        if func in READS:
            if on_gpu:
                self.wait(READS[func])
            value: Any = False if args[0].dtype == torch.bool else 0.5 if args[0].is_floating_point() else 1
            for size in reversed(args[0].shape):
                value = [value] * size
            return value
        if on_gpu and func is Tensor.contiguous:
            return args[0] if args[0].is_contiguous() else aten.clone.default(args[0])
        types_of = {Tensor.float: torch.float32, Tensor.double: torch.float64}
        if on_gpu and func is Tensor.to and isinstance(args[1], torch.dtype):
            types_of[func] = args[1]
        if on_gpu and func in types_of:
            return aten._to_copy.default(args[0], dtype=types_of[func])
        return func(*args, **(kwargs or {}))

    def _split(self, tensor: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None]]:
        """What the integers and slices of an index leave, and the tensors of it; none if there are none."""
        parts = index if isinstance(index, tuple) else (index,)
        named = sum(part is not None and part is not Ellipsis for part in parts)
        whole = [slice(None)] * (tensor.dim() - named)
        tensors: list[Tensor | None] = []
        for part in [part for each in parts for part in (whole if each is Ellipsis else [each])]:
            dim = len(tensors)
            match part:
                case None:
                    tensor = tensor.unsqueeze(dim)
                case int():
                    tensor = aten.select.int(tensor, dim, part)
                    continue
                case slice():
                    tensor = aten.slice.Tensor(tensor, dim, part.start, part.stop, part.step or 1)
                case list() if self.stepping:
                    raise Waits(f"index {part}: is copied to the device")
                case Tensor() if part.dtype == torch.bool and self._allowed:
                    self.wait(f"index {part}")
                    rows = torch.zeros(2, dtype=torch.int64, device=CUDA)
                    tensors += [rows] * part.dim()
                    continue
                case Tensor() if part.dtype == torch.bool:
                    raise Waits("a boolean mask as an index: how many rows it leaves only the device knows")
                case _:
                    tensors.append(part if isinstance(part, Tensor) else torch.tensor(part, device=tensor.device))
                    continue
            tensors.append(None)
        return tensor, tensors if any(each is not None for each in tensors) else []


def _is_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


def _names_the_cpu(*args: Any, device: Any = None, **_: Any) -> bool:
    named = device if device is not None else next((arg for arg in args if isinstance(arg, str | torch.device)), None)
    return named is not None and torch.device(named).type == "cpu"


class Random(TorchDispatchMode):
    """Leaves random numbers out, which only a torch with CUDA draws on such tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in (aten.uniform_.default, aten.normal_.default) else func(*args, **(kwargs or {}))


class Rehearsal(SceneFacts):
    """An engine of zeros on the device. What is written to it must be there, of its type, and a row per environment."""

    def __init__(self, mode: FakeTensorMode, cfg: EnvCfg, num_envs: int) -> None:
        """Read the config as on a CPU, outside `mode`, and move what was read."""
        super().__init__(cfg, num_envs, Session("genesis", torch.device("cpu"), 1, 1, {}, 0.0))
        self.device = CUDA
        with mode:
            for name in ("default_joint_pos", "default_targets", "joint_range"):
                setattr(self, name, mode.from_tensor(getattr(self, name)).to(CUDA))
            heights = mode.from_tensor(self.ground.heights).to(CUDA)
            self.ground = dataclasses.replace(self.ground, heights=heights)
            if self.cell_centers_w is not None:
                self.cell_centers_w = mode.from_tensor(self.cell_centers_w)
            self.default_link_quat_w = torch.zeros(len(self.names.links), 4, device=CUDA)
            self.properties = Properties(_Store(num_envs, len(self.names.joints)), cfg.robot, CUDA)

    def set_targets(self, targets: Tensor) -> None:
        self._require(targets, torch.float32)

    def advance(self, steps: int, *, reset_failed: bool = False) -> Tensor:
        return torch.zeros(self.num_envs, dtype=torch.bool, device=CUDA)

    def joint_pos(self) -> Tensor:
        return torch.zeros(self.num_envs, len(self.names.joints), device=CUDA)

    joint_vel = joint_torque = joint_pos

    def link_pos_w(self) -> Tensor:
        return torch.zeros(self.num_envs, len(self.names.links), 3, device=CUDA)

    link_lin_vel_w = link_ang_vel_w = contact_force_w = link_pos_w

    def link_quat_w(self) -> Tensor:
        return torch.zeros(self.num_envs, len(self.names.links), 4, device=CUDA)

    def object_pos_w(self) -> Tensor:
        return torch.zeros(self.num_envs, len(self.names.objects), 3, device=CUDA)

    object_lin_vel_w = object_pos_w

    def object_quat_w(self) -> Tensor:
        return torch.zeros(self.num_envs, len(self.names.objects), 4, device=CUDA)

    def self_contact_force(self) -> Tensor:
        return torch.zeros(self.num_envs, device=CUDA)

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def jacobian(self, link: str) -> Tensor:
        return torch.zeros(self.num_envs, 6, len(self.names.joints), device=CUDA)

    def reset(self, mask: Tensor) -> None:
        self._require(mask, torch.bool)

    def write(self, write: StateWrite, mask: Tensor) -> None:
        self._require(mask, torch.bool)
        for value in (write.joint_pos, write.joint_vel, write.base_pose_w, write.base_vel_w):
            if value is not None:
                self._require(value, torch.float32)
        for value in write.object_pose_w.values():
            self._require(value, torch.float32)

    def _require(self, value: Tensor, dtype: torch.dtype) -> None:
        assert (value.device, value.dtype, len(value)) == (CUDA, dtype, self.num_envs)


class _Store:
    """Properties that are 1."""

    def __init__(self, num_envs: int, joints: int) -> None:
        self._shapes = {"friction": (num_envs,), "mass": (num_envs,), "com": (num_envs, 3)}
        self._gains = (num_envs, joints)

    def read(self, name: str) -> Tensor:
        return torch.ones(self._shapes.get(name.partition("/")[0], self._gains), device=CUDA)

    def set(self, name: str, value: Tensor) -> None:
        assert (value.device, value.shape) == (CUDA, self.read(name).shape)
