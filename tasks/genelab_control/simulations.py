"""Tasks of the control suite as simulations of genelab's environment."""

import hashlib
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from genelab.config.vector import VectorEnvCfg
from genelab.draw.camera import Camera
from genelab.draw.depiction import Picture
from genelab.draw.stage import Stage
from genelab.envs.simulations import Floats, Outcome, SimulationsState
from genelab.errors import InputError
from genelab_control.batch import ControlBatch
from genelab_control.catalogue import TASKS
from genelab_control.domain import ControlTask, Suite, mj

SEED_DRAWS = 4
"""Uniform draws of an episode, of 24 bits each, from which everything drawn in it follows."""
PICTURE = (480, 360)
"""Width and height, pixels."""
DISTANCE = 2.6
"""Of the camera, in sizes of what moves."""
SMALLEST = 0.3
"""Size of the part of the world that a picture shows at least, m."""


def suite_task(suite: str, name: str) -> ControlTask:
    """The task of a suite. Raises InputError if there is none."""
    if suite not in get_args(Suite) or name not in TASKS:
        raise InputError(f"env.params: suite = '{suite}', task = '{name}': no such task of the control suite")
    return TASKS[name](cast(Suite, suite))


def sha256_of(task: ControlTask) -> str:
    """Digest of the model."""
    return hashlib.sha256(task.xml.encode()).hexdigest()


def make(cfg: VectorEnvCfg, num_envs: int) -> "ControlSimulations":
    """Make simulations of the task that `cfg.params` names by `suite` and `task`.

    Raises:
        InputError: if there is no such task, or its model is not the one whose digest is `model_sha256`.
    """
    task = suite_task(str(cfg.params["suite"]), str(cfg.params["task"]))
    if (found := sha256_of(task)) != (wanted := cfg.params["model_sha256"]):
        raise InputError(f"env.params.model_sha256 = '{wanted}': the model's is {found}; it is of another version")
    return ControlSimulations(task, num_envs)


class ControlSimulations:
    """Simulations of one task. See `genelab.envs.simulations`."""

    def __init__(self, task: ControlTask, num_envs: int) -> None:
        """One thread: seeds train beside each other."""
        self._batch = ControlBatch(task, num_envs)
        self._seeds = np.zeros((num_envs, SEED_DRAWS))
        self._stage: Stage | None = None
        self._size = 0.0

    def start(self, rows: NDArray[np.int64], draws: Floats) -> Floats:
        """See `Simulations.start`."""
        self._seeds[rows] = draws
        if rows.size:
            self._batch.reset(rows, self._draw)
        return self._batch.observation[rows]

    def _draw(self, rows: NDArray[np.int64], attempt: int, dim: int) -> Floats:
        """As many draws as a start needs, and anew for every attempt, from the few that decide the episode."""
        low, high, other_low, other_high = (self._seeds[rows].T * 2.0**24).astype(np.uint64)
        # Two words of 48 bits.
        keys = np.stack([low + (high << 24), other_low + (other_high << 24)], axis=1)
        found = [np.random.Generator(np.random.Philox(key=key, counter=attempt)).random(dim) for key in keys]
        # On the grid of 2^-24 that the starts expect.
        return np.floor(np.array(found).reshape(len(rows), dim) * 2.0**24) * 2.0**-24

    def step(self, action: Floats) -> Outcome:
        """See `Simulations.step`."""
        step = self._batch.step(action)
        never = np.zeros(len(step.reward), dtype=np.bool_)
        return Outcome(step.observation, step.reward, terminated=never, truncated=never, failed=step.broken)

    def state(self) -> SimulationsState:
        """See `Simulations.state`."""
        return {**self._batch.state_dict()}

    def restore(self, state: SimulationsState) -> None:
        """See `Simulations.restore`."""
        self._batch.load_state_dict({name: np.asarray(value, dtype=np.float64) for name, value in state.items()})

    def picture(self) -> Picture:
        """See `Simulations.picture`."""
        sims = self._batch.sims
        if self._stage is None:
            self._stage = Stage(mj.MjSpec.from_string(self._batch.task.xml), PICTURE)
        self._stage.place(sims.mocap_pos[0])
        points = np.vstack([self._stage.points(sims.qpos[0]), sims.mocap_pos[0]])
        low, high = points.min(axis=0), points.max(axis=0)
        # The first picture says how far away one stands, so that the camera does not swing.
        self._size = self._size or max(float(np.max(high - low)), SMALLEST)
        elevation = -89.0 if self._batch.task.seen_from_above else -12.0
        camera = Camera((low + high) / 2.0, DISTANCE * self._size, 90.0, elevation)
        return self._stage.picture(sims.qpos[0], camera)

    def close(self) -> None:
        """Free what draws."""
        if self._stage is not None:
            self._stage.close()
