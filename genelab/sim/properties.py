"""Properties of a robot that differ between environments: written whole, and read back."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from genelab.config.scene import RobotCfg
from genelab.errors import RunError
from genelab.mdp.state import ModelWrite


class Properties:
    """What randomisations have written to a robot. Properties that none writes are left to the model."""

    def __init__(self, robot: Any, cfg: RobotCfg, dofs: list[int], num_envs: int, device: torch.device) -> None:
        """`robot`: the entity in a built scene; `dofs`: its local degrees of freedom, one for each joint of `cfg`."""
        self._robot, self._dofs, self._num_envs = robot, dofs, num_envs
        groups = {joint: group for group in cfg.actuators.values() for joint in group.joints}
        self._gains = {
            gain: torch.tensor([getattr(groups[joint], gain) for joint in cfg.joints], device=device)
            for gain in ("kp", "kv")
        }
        self._model: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}
        self._checked: set[str] = set()

    def write(self, write: ModelWrite, mask: Tensor) -> None:
        """Write properties where masked; the other environments keep theirs. Shape: (num_envs,) bool.

        Raises:
            RunError: if a mass would not be above 0, or the simulator holds something else afterwards; the latter is
                looked at the first time that a property is written.
        """
        for link, friction in write.link_friction.items():
            # The simulator keeps it as a ratio to the friction in the model.
            self._write(f"friction/{link}", friction / self._friction_of_the_model(link), mask)
        for kind, offsets in (("mass", write.link_mass_offset), ("com", write.link_com_offset)):
            for link, offset in offsets.items():
                self._write(f"{kind}/{link}", self._of_the_model(f"{kind}/{link}") + offset, mask)
        for gain, factor in (("kp", write.kp_factor), ("kv", write.kv_factor)):
            if factor is not None:
                self._write(gain, self._gains[gain] * factor, mask)

    def restore(self) -> None:
        """Give the robot back what its model says, whatever was written before.

        Raises:
            RunError: if the simulator holds something else afterwards.
        """
        for name in self._held:
            self._to_simulator(name, self._model[name])
            self._require(name, self._model[name])
        self._held.clear()

    def write_again(self) -> None:
        """Write what a reset of the scene takes back: the frictions."""
        for name, value in self._held.items():
            if name.startswith("friction/"):
                self._to_simulator(name, value)

    @property
    def gains(self) -> Mapping[str, Tensor]:
        """Gains `kp` and `kv` of the joints as they are. Shape: (num_joints,) or (num_envs, num_joints)."""
        return {gain: self._held.get(gain, value) for gain, value in self._gains.items()}

    def _friction_of_the_model(self, link: str) -> float:
        found = {float(geom.get_friction()) for geom in self._link(link).geoms}
        if len(found) != 1:
            raise RunError(
                f"link '{link}': one friction cannot be written to collision geoms that have {sorted(found)}"
            )
        return found.pop()

    def _of_the_model(self, name: str) -> Tensor:
        """What the simulator held before the first write."""
        if name not in self._model:
            self._model[name] = self._read(name)
        return self._model[name]

    def _write(self, name: str, value: Tensor, mask: Tensor) -> None:
        where = mask.reshape(-1, *(1 for _ in value.shape[1:]))
        before = self._of_the_model(name)
        value = torch.where(where, value, self._held.get(name, before))
        if name.startswith("mass/") and bool((value <= 0.0).any()):
            raise RunError(f"robot: {name} = {float(value.min()):g} kg: must stay above 0")
        self._held[name] = value
        self._to_simulator(name, value)
        if name not in self._checked:
            self._require(name, value)
            self._checked.add(name)

    def _require(self, name: str, value: Tensor) -> None:
        found = self._read(name)
        if not torch.allclose(found, value, rtol=1e-5, atol=1e-7):
            raise RunError(f"robot: the simulator holds {name} = {found[0].tolist()}, not {value[0].tolist()}")

    def _to_simulator(self, name: str, value: Tensor) -> None:
        kind, _, link = name.partition("/")
        match kind:
            case "friction":
                self._robot.set_friction_ratio(value[:, None], [self._link(link).idx_local])
            case "mass":
                self._robot.set_links_mass(value[:, None], [self._link(link).idx_local])
            case "com":
                self._robot.set_links_COM(value[:, None], [self._link(link).idx_local])
            case _:
                getattr(self._robot, f"set_dofs_{kind}")(value, self._dofs)

    def _read(self, name: str) -> Tensor:
        kind, _, link = name.partition("/")
        match kind:
            case "friction":
                geoms = [geom.idx for geom in self._link(link).geoms]
                ratios = self._robot.solver.get_geoms_friction_ratio(geoms).reshape(self._num_envs, -1)
                # Equal before the first write; a NaN where they are not shows that one was not written.
                return torch.where((ratios == ratios[:, :1]).all(dim=1), ratios[:, 0], float("nan"))
            case "mass":
                return self._robot.get_links_mass([self._link(link).idx_local]).reshape(self._num_envs).clone()
            case "com":
                return self._robot.get_links_COM([self._link(link).idx_local]).reshape(self._num_envs, 3).clone()
            case _:
                return getattr(self._robot, f"get_dofs_{kind}")(self._dofs).clone()

    def _link(self, name: str) -> Any:
        return self._robot.get_link(name)
