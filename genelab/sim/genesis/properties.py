"""Where Genesis keeps the properties of a robot that differ between environments."""

from typing import Any

import torch
from torch import Tensor

from genelab.errors import RunError
from genelab.sim.genesis.rows import Rows


class Store:
    """See `genelab.sim.properties.Store`."""

    def __init__(self, robot: Any, dofs: list[int], rows: Rows) -> None:
        """`robot`: the entity in a built scene; `dofs`: its local degrees of freedom, one for each joint."""
        self._robot, self._dofs, self._rows = robot, dofs, rows
        self._frictions: dict[str, float] = {}

    def set(self, name: str, value: Tensor) -> None:
        """Set it in every environment."""
        value = self._rows.to(value)
        kind, _, link = name.partition("/")
        match kind:
            case "friction":
                # Kept as a ratio to the friction in the model.
                ratio = (value / self._friction_of_the_model(link))[:, None]
                self._robot.set_friction_ratio(ratio, [self._link(link).idx_local])
            case "mass":
                self._robot.set_links_mass(value[:, None], [self._link(link).idx_local])
            case "com":
                self._robot.set_links_COM(value[:, None], [self._link(link).idx_local])
            case _:
                getattr(self._robot, f"set_dofs_{kind}")(value, self._dofs)

    def read(self, name: str) -> Tensor:
        """A copy of what the solver holds."""
        kind, _, link = name.partition("/")
        match kind:
            case "friction":
                geoms = [geom.idx for geom in self._link(link).geoms]
                ratios = self._robot.solver.get_geoms_friction_ratio(geoms)
                # Equal before the first write; a NaN where they are not shows that one was not written.
                same = torch.where((ratios == ratios[:, :1]).all(dim=1), ratios[:, 0], float("nan"))
                held = same * self._friction_of_the_model(link)
            case "mass":
                held = self._robot.get_links_mass([self._link(link).idx_local])[:, 0]
            case "com":
                held = self._robot.get_links_COM([self._link(link).idx_local])[:, 0]
            case _:
                held = getattr(self._robot, f"get_dofs_{kind}")(self._dofs)
        return self._rows.of(held).clone()

    def _friction_of_the_model(self, link: str) -> float:
        if link not in self._frictions:
            found = {float(geom.get_friction()) for geom in self._link(link).geoms}
            if len(found) != 1:
                raise RunError(
                    f"link '{link}': one friction cannot be written to collision geoms that have {sorted(found)}"
                )
            self._frictions[link] = found.pop()
        return self._frictions[link]

    def _link(self, name: str) -> Any:
        return self._robot.get_link(name)
