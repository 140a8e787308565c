"""Properties of a robot that differ between environments: written whole, and read back."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from genelab.config.scene import RobotCfg
from genelab.errors import RunError
from genelab.mdp.state import ModelWrite


class Store(Protocol):
    """Where an engine keeps properties, by name: `friction/LINK`, `mass/LINK` (kg), `com/LINK` (m), `kp` and `kv`.

    Shapes: (num_envs,) of a friction or a mass, (num_envs, 3) of a centre of mass, (num_envs, num_joints) of gains.
    """

    def read(self, name: str) -> Tensor:
        """A copy of what the engine holds."""
        ...

    def set(self, name: str, value: Tensor) -> None:
        """Set it in every environment."""
        ...


class Properties:
    """What randomisations have written to a robot. Properties that none writes are left to the model."""

    def __init__(self, store: Store, cfg: RobotCfg, device: torch.device) -> None:
        """Nothing is written yet."""
        self._store = store
        self._gains = {
            gain: torch.tensor([getattr(cfg.actuator_of(joint), gain) for joint in cfg.joints], device=device)
            for gain in ("kp", "kv")
        }
        self._model: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}
        self._checked: set[str] = set()

    def write(self, write: ModelWrite, mask: Tensor) -> None:
        """Write properties where masked; the other environments keep theirs. Shape: (num_envs,) bool.

        Raises:
            RunError: if a mass would not be above 0, or the engine holds something else afterwards; the latter is
                looked at the first time that a property is written.
        """
        for link, friction in write.link_friction.items():
            self._write(f"friction/{link}", friction, mask)
        for kind, offsets in (("mass", write.link_mass_offset), ("com", write.link_com_offset)):
            for link, offset in offsets.items():
                self._write(f"{kind}/{link}", self._of_the_model(f"{kind}/{link}") + offset, mask)
        for gain, factor in (("kp", write.kp_factor), ("kv", write.kv_factor)):
            if factor is not None:
                self._write(gain, self._gains[gain] * factor, mask)

    def restore(self) -> None:
        """Give the robot back what its model says, whatever was written before.

        Raises:
            RunError: if the engine holds something else afterwards.
        """
        for name in self._held:
            self._store.set(name, self._model[name])
            self._require(name, self._model[name])
        self._held.clear()

    @property
    def held(self) -> Mapping[str, Tensor]:
        """What is written now, by name."""
        return self._held

    @property
    def gains(self) -> Mapping[str, Tensor]:
        """Gains `kp` and `kv` of the joints as they are. Shape: (num_joints,) or (num_envs, num_joints)."""
        return {gain: self._held.get(gain, value) for gain, value in self._gains.items()}

    def _of_the_model(self, name: str) -> Tensor:
        """What the engine held before the first write."""
        if name not in self._model:
            self._model[name] = self._store.read(name)
        return self._model[name]

    def _write(self, name: str, value: Tensor, mask: Tensor) -> None:
        where = mask.reshape(-1, *(1 for _ in value.shape[1:]))
        before = self._of_the_model(name)
        value = torch.where(where, value, self._held.get(name, before))
        if name.startswith("mass/"):
            _require_positive(name, value)
        self._held[name] = value
        self._store.set(name, value)
        if name not in self._checked:
            self._require(name, value)
            self._checked.add(name)

    def _require(self, name: str, value: Tensor) -> None:
        found = self._store.read(name)
        if not torch.allclose(found, value, rtol=1e-5, atol=1e-7):
            raise RunError(f"robot: the simulator holds {name} = {found[0].tolist()}, not {value[0].tolist()}")


def _require_positive(name: str, masses: Tensor) -> None:
    if masses.device.type != "cpu":
        # To ask here would make the GPU wait at every reset; so it stops by itself, with the next thing it is asked.
        torch._assert_async((masses > 0.0).all(), f"robot: {name}: must stay above 0 kg")  # pyright: ignore
    elif bool((masses <= 0.0).any()):
        raise RunError(f"robot: {name} = {float(masses.min()):g} kg: must stay above 0")
