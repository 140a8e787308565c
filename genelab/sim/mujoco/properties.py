"""Where MuJoCo keeps the properties of a robot that differ between environments."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.errors import RunError


class Store:
    """See `genelab.sim.properties.Store`. A field of the model becomes one for each environment at its first write."""

    def __init__(self, batch: Any, model: Any, cfg: EnvCfg, joints: tuple[str, ...]) -> None:
        """`batch`: the simulations; `model`: what they were made of; `joints`: those of the robot, in order."""
        self._batch, self._model = batch, model
        groups = [cfg.robot.actuator_of(joint) for joint in joints]
        own = {gain: np.array([getattr(group, gain) for group in groups]) for gain in ("kp", "kv")}
        self._gains = {gain: np.tile(values, (batch.nsim, 1)) for gain, values in own.items()}
        """Of all joints. Explicit actuators read them from `Properties`; MuJoCo has those of the others."""
        law = {joint: cfg.robot.actuator_of(joint).law for joint in cfg.driven}
        self._implicit = [
            (joints.index(j), model.actuator(j).id, law[j]) for j in cfg.driven if law[j] != "explicit_pd"
        ]

    def set(self, name: str, value: Tensor) -> None:
        """Set it in every environment."""
        kind, _, link = name.partition("/")
        held = value.numpy()
        match kind:
            case "friction":
                self._batch.expand("geom_friction")[:, self._geoms(link), 0] = held[:, None]
            case "mass":
                self._batch.expand("body_mass")[:, self._body(link)] = held
                self._batch.set_const()
            case "com":
                self._batch.expand("body_ipos")[:, self._body(link)] = held
                self._batch.set_const()
            case _:
                self._gains[kind][:] = held
                gain, bias = self._batch.expand("actuator_gainprm"), self._batch.expand("actuator_biasprm")
                for column, actuator, law in self._implicit:
                    bias[:, actuator, 1 if kind == "kp" else 2] = -held[:, column]
                    if (law == "velocity") == (kind == "kv"):
                        gain[:, actuator, 0] = held[:, column]

    def read(self, name: str) -> Tensor:
        """A copy of what MuJoCo holds."""
        kind, _, link = name.partition("/")
        match kind:
            case "friction":
                held = self._field("geom_friction")[:, self._geoms(link), 0]
                if not (held == held[:, :1]).all():
                    raise RunError(f"link '{link}': one friction cannot be written to collision geoms that differ")
                found = held[:, 0]
            case "mass":
                found = self._field("body_mass")[:, self._body(link)]
            case "com":
                found = self._field("body_ipos")[:, self._body(link)]
            case _:
                found = self._gains[kind].copy()
                gain, bias = self._field("actuator_gainprm"), self._field("actuator_biasprm")
                for column, actuator, law in self._implicit:
                    held = -bias[:, actuator, 1 if kind == "kp" else 2]
                    if (law == "velocity") == (kind == "kv"):
                        # A NaN where the target has another factor shows that one of the two was not written.
                        held = np.where(gain[:, actuator, 0] == held, held, np.nan)
                    found[:, column] = held
        return torch.from_numpy(found.astype(np.float32))

    def _field(self, name: str) -> NDArray[np.float64]:
        """A field of the model by environment."""
        found, shared = self._batch.expanded(name), getattr(self._model, name)
        return np.broadcast_to(shared, (self._batch.nsim, *shared.shape)) if found is None else found

    def _body(self, link: str) -> int:
        return int(self._model.body(link).id)

    def _geoms(self, link: str) -> NDArray[np.int64]:
        """Collision geoms of a link."""
        mine = self._model.geom_bodyid == self._body(link)
        return np.flatnonzero(mine & ((self._model.geom_contype | self._model.geom_conaffinity) != 0))
