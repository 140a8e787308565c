"""Many simulations of one task, stepped together."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from genelab.errors import RunError
from genelab_control.domain import ControlTask, Floats, mj

Rows = NDArray[np.int64]
Draw = Callable[[Rows, int, int], Floats]
"""Uniform draws in [0, 1) for the episodes that begin: rows, attempt, draws for each row -> (rows, draws).

The same episode and attempt must get the same draws whenever asked.
"""
ATTEMPTS = 1000
"""How often a start with a contact is drawn again."""


class ControlStep(NamedTuple):
    """What a control step led to."""

    observation: Floats
    """Shape: (num_envs, columns)."""
    reward: Floats
    """In [0, 1], and 0 where broken. Shape: (num_envs,)."""
    broken: NDArray[np.bool_]
    """Where MuJoCo warned or something is not finite. Such a simulation must be reset. Shape: (num_envs,)."""


class ControlBatch:
    """Simulations of one task. None depends on how many there are, nor on the number of threads."""

    def __init__(self, task: ControlTask, num_envs: int, threads: int = 1) -> None:
        """Make simulations, all of which must be reset before the first step."""
        self.task = task
        self.num_envs = num_envs
        self.observation: Floats = np.zeros((num_envs, len(task.columns)))
        """The current one. Read only. Shape: (num_envs, columns)."""
        # Its warnings go to the console; otherwise MUJOCO_LOG.TXT would grow in whatever folder one works.
        log = mj.MjLogConfig.get()
        log.logto_file = False
        mj.MjLogConfig.set(log)
        self.sims = Batch(task.model, num_envs, threads, persistent=True)
        """The simulations, to look at."""
        low, high = task.model.actuator_ctrlrange.T
        self._middle, self._half = (low + high) / 2.0, (high - low) / 2.0
        # A field is filled by what is computed after its first use.
        task.observe(self.sims)
        task.reward(self.sims, self.sims.ctrl)
        self.sims.bind("ncon")
        # DMC observes the state itself; Playground what mj_step leaves, which is one physics step older.
        self._stage = mj.mjtStage.mjSTAGE_VEL if task.suite == "DMC" else mj.mjtStage.mjSTAGE_NONE

    def reset(self, rows: Rows, draw: Draw) -> None:
        """Begin an episode in some simulations and observe it. `rows`: sorted.

        Raises:
            RunError: if no start without a contact was found.
        """
        task, sims = self.task, self.sims
        sims.reset(rows, stage=mj.mjtStage.mjSTAGE_NONE)
        left = rows
        for attempt in range(ATTEMPTS if task.collision_free else 1):
            start = task.start(draw(left, attempt, task.start_draws))
            sims.qpos[left] = start.qpos
            if start.qvel is not None:
                sims.qvel[left] = start.qvel
            if start.target is not None:
                sims.mocap_pos[left, 0] = start.target
            sims.forward(left)
            left = left[sims.ncon[left] > 0] if task.collision_free else left[:0]
            if not left.size:
                break
        if left.size:
            raise RunError(f"no start without a contact in {ATTEMPTS} attempts, environment {left[0]}")
        if task.settle_steps:
            sims.step(rows, nstep=task.settle_steps, stage=self._stage)
        self.observation = self.observation.copy()
        self.observation[rows] = task.observe(sims)[rows]

    def step(self, actions: Floats) -> ControlStep:
        """One control step of all simulations.

        Args:
            actions: cut to [-1, 1], which spans the actuators' ranges. Shape: (num_envs, nu).
        """
        task, sims = self.task, self.sims
        controls = self._middle + self._half * np.clip(actions, -1.0, 1.0)
        sims.ctrl = controls
        warned = self._warned()
        stopped = np.zeros(self.num_envs, dtype=bool)
        try:
            sims.step(nstep=task.substeps, stage=self._stage)
        except SimulationError as error:
            stopped[error.ids] = True
        observation, reward = task.observe(sims), task.reward(sims, controls)
        finite = np.isfinite(sims.state).all(axis=1) & np.isfinite(observation).all(axis=1) & np.isfinite(reward)
        broken = stopped | (self._warned() > warned) | ~finite
        self.observation = observation
        return ControlStep(observation, np.where(broken, 0.0, reward), broken)

    def state_dict(self) -> dict[str, Floats]:
        """The exact state: restored into a batch of the same task and size, it goes on bit-equal."""
        return {"rows": self.sims.state.copy(), "observation": self.observation.copy()}

    def load_state_dict(self, state: dict[str, Floats]) -> None:
        """Restore what `state_dict` returned."""
        self.sims.reset(stage=mj.mjtStage.mjSTAGE_NONE)
        self.sims.state[:] = state["rows"]
        self.observation = state["observation"].copy()

    def _warned(self) -> NDArray[np.int64]:
        """Warnings of each simulation so far."""
        return self.sims.warning[:, :, 1].sum(axis=1)
