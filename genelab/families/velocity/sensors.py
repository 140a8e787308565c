"""What a walking robot on two legs feels beside its feet's contacts: swings, its own body, its angular momentum."""

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from genelab.config.model_file import load_model
from genelab.envs.parts.part import Part, World
from genelab.mdp.state import StateView, View


@dataclass(frozen=True)
class SwingState(View):
    """How the feet swing."""

    height: Tensor
    """Height of each foot above the ground beneath it, m. Shape: (num_envs, num_feet)."""
    landed: Tensor
    """Whether a foot that was in the air a control step ago touches the ground, bool. Shape: (num_envs, num_feet)."""
    peak: Tensor
    """Largest height of each foot since it left the ground, up to the control step before, m; 0 for one on the ground.

    Shape: (num_envs, num_feet)."""


def swing(world: World) -> Part:
    """Follows each foot from when it leaves the ground to when it lands. Needs `env.feet`."""
    return Swing(world)


class Swing(Part):
    """See `swing`."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.begin()

    def begin(self) -> None:
        """No foot has left the ground."""
        feet = len(self._world.cfg.feet_sites)
        self.memory["in_air"] = self._world.zeros(feet, dtype=torch.bool)
        self.memory["peak"] = self._world.zeros(feet)

    def start(self, mask: Tensor) -> None:
        """Where an episode starts, nothing has been seen of the feet yet."""
        self.memory["in_air"] = self.memory["in_air"] & ~mask[:, None]
        self.memory["peak"] = self.memory["peak"].masked_fill(mask[:, None], 0.0)

    def view(self, state: StateView) -> SwingState:
        """The feet now, and how high they came."""
        pos_w = state.feet.pos_w
        return SwingState(
            height=pos_w[..., 2] - state.terrain.height_at(pos_w[..., :2]),
            landed=state.feet.contact & self.memory["in_air"],
            peak=self.memory["peak"],
        )

    def keep(self, state: StateView) -> None:
        """Remember who is in the air, and the highest point on the way."""
        in_air = state.feet.air_s > 0.0
        highest = torch.maximum(self.memory["peak"], state.of(SwingState).height)
        self.memory["in_air"] = in_air
        self.memory["peak"] = torch.where(in_air, highest, 0.0)


@dataclass(frozen=True)
class SelfContactState(View):
    """Whether the robot touches itself."""

    hits: Tensor
    """Control steps of the last few in which it did. Shape: (num_envs,)."""


def self_contact(world: World, force: NonNegativeFloat, steps: PositiveInt) -> Part:
    """Counts the control steps, of the last `steps`, at whose end two links pressed on each other above `force`, N."""
    return SelfContact(world, force, steps)


class SelfContact(Part):
    """See `self_contact`."""

    def __init__(self, world: World, force: float, steps: int) -> None:
        super().__init__()
        self._world, self._force, self._steps = world, force, steps
        self.begin()

    def begin(self) -> None:
        """Nothing has been felt."""
        self.memory["hit"] = self._world.zeros(self._steps, dtype=torch.bool)

    def start(self, mask: Tensor) -> None:
        """A new episode has felt nothing."""
        self.memory["hit"] = self.memory["hit"] & ~mask[:, None]

    def sense(self) -> None:
        """Look at the last physics step."""
        now = self._world.sim.self_contact_force() > self._force
        self.memory["hit"] = torch.cat([self.memory["hit"][:, 1:], now[:, None]], dim=1)

    def view(self, state: StateView) -> SelfContactState:
        """How often."""
        return SelfContactState(self.memory["hit"].sum(dim=1))


@dataclass(frozen=True)
class MomentumState(View):
    """How the whole robot turns about its base."""

    angular_w: Tensor
    """Angular momentum about the base's origin in the world frame, of the links as points at their origins, kg m^2/s.

    Shape: (num_envs, 3)."""


def momentum(world: World) -> Part:
    """Adds up the angular momentum of the links, with the masses of the model file."""
    return Momentum(world)


class Momentum(Part):
    """See `momentum`."""

    def __init__(self, world: World) -> None:
        super().__init__()
        robot = world.cfg.robot
        model = load_model(robot.model, robot.model_sha256)
        masses = [float(model.body(link).mass[0]) for link in world.sim.names.links]
        self._masses = torch.tensor(masses, device=world.device)[:, None]

    def view(self, state: StateView) -> MomentumState:
        """The sum of m (p - p_base) x v over the links."""
        lever = state.link_pos_w - state.floating.pos_w[:, None]
        each = torch.linalg.cross(lever, self._masses * state.floating.link_lin_vel_w)
        return MomentumState(each.sum(dim=1))
