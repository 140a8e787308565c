"""What a task of the control suite is: a model, starts, observations and a reward, over many simulations at once."""

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray
from scipy.special import ndtri

mj: Any = mujoco  # its stubs name no classes
Floats = NDArray[np.float64]
Suite = Literal["DMC", "Playground"]
"""Who defines the task. The two differ in physics, starts and observations, so their returns must not be compared."""
EPISODE_STEPS = 1000
"""Control steps of an episode. No task ends earlier."""


class Column(NamedTuple):
    """One column of an observation."""

    name: str
    unit: str
    """"" for a number without one."""


class Start(NamedTuple):
    """Where episodes begin."""

    qpos: Floats
    """Shape: (n, nq)."""
    qvel: Floats | None = None
    """Zero if None. Shape: (n, nv)."""
    target: Floats | None = None
    """Positions of the mocap body "target", world frame, m; None if the model has none. Shape: (n, 3)."""


class ControlTask(ABC):
    """One task of one suite.

    A subclass calls `super().__init__(suite, xml)` and then looks up what it needs in `self.model`. Everything that
    differs between episodes belongs to MuJoCo's state; so a target is a mocap body of the name "target" in both suites.
    """

    substeps: int
    """Physics steps of a control step."""
    columns: tuple[Column, ...]
    """What `observe` returns, in order."""
    start_draws: int = 0
    """Uniform draws that `start` takes for an episode."""
    collision_free: bool = False
    """Whether a start with a contact is drawn again."""
    seen_from_above: bool = False
    """Whether a picture shows it from above: everything happens in a level plane."""
    settle_steps: int = 0
    """Physics steps without control between `start` and the first observation."""

    def __init__(self, suite: Suite, xml: str) -> None:
        """Compile the model. `xml`: MJCF, whose options are those of the suite."""
        self.suite: Suite = suite
        self.xml = xml
        self.model: Any = mj.MjModel.from_xml_string(xml)

    @abstractmethod
    def start(self, draws: Floats) -> Start:
        """Begin episodes. `draws`: uniform in [0, 1). Shape: (n, start_draws)."""

    @abstractmethod
    def observe(self, sims: Batch) -> Floats:
        """What a policy sees of every simulation.

        `sims` has MuJoCo's fields, one row for each simulation, such as `sims.qpos` (n, nq) and `sims.xmat` (n, nbody,
        9). Positions and velocities of bodies, sites, geoms and sensors are those of the state in suite DMC, and those
        of one physics step earlier in suite Playground, as `mj_step` leaves them: that is what each suite observes.

        Returns:
            Shape: (n, columns).
        """

    @abstractmethod
    def reward(self, sims: Batch, action: Floats) -> Floats:
        """The reward of a control step that led here, in [0, 1].

        Args:
            sims: as in `observe`.
            action: as applied, in the actuators' ranges. Shape: (n, nu).

        Returns:
            Shape: (n,).
        """


def columns(name: str, unit: str, parts: str = "") -> tuple[Column, ...]:
    """One column of that name, or one for each word in `parts`, named `<name>_<part>`."""
    return tuple(Column(f"{name}_{part}", unit) for part in parts.split()) if parts else (Column(name, unit),)


def between(draws: Floats, low: float | Floats, high: float | Floats) -> Floats:
    """Uniform in [low, high), from draws in [0, 1)."""
    return low + draws * (np.asarray(high) - low)


def normal(draws: Floats) -> Floats:
    """Standard normal, from draws in [0, 1) on a grid of 2^-24: each stands for the middle of its cell."""
    return ndtri(draws + 2.0**-25)


Shape = Literal["gaussian", "long_tail", "linear", "quadratic"]


def tolerance(
    x: Floats,
    bounds: tuple[float, float] = (0.0, 0.0),
    margin: float = 0.0,
    shape: Shape = "gaussian",
    at_margin: float = 0.1,
) -> Floats:
    """How well `x` keeps to bounds: 1 within, `at_margin` at a distance of `margin`, and 0 outside if that is 0.

    Args:
        x: values of any shape.
        bounds: lowest and highest good value.
        margin: distance from the bounds at which the value is `at_margin`.
        shape: how the value falls: as a Gaussian, as 1 / (1 + c x^2), or to 0 on a line or a parabola.
        at_margin: below 1; above 0 for the first two.

    Returns:
        Values in [0, 1], in the shape of `x`.
    """
    low, high = bounds
    outside = np.maximum(np.maximum(low - x, x - high), 0.0)
    if margin == 0.0:
        return np.where(outside > 0.0, 0.0, 1.0)
    distance = outside / margin
    if shape == "gaussian":
        return at_margin ** (distance**2)
    if shape == "long_tail":
        return 1.0 / (1.0 + (1.0 / at_margin - 1.0) * distance**2)
    power = 1 if shape == "linear" else 2
    return np.maximum(1.0 - (1.0 - at_margin) * distance**power, 0.0)
