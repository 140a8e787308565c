"""The control suite's tasks, as two suites define them.

DMC is the DeepMind Control Suite (dm_control), Playground is MuJoCo Playground's port of it; both are under Apache-2.0,
and the numbers of models, starts and rewards are theirs. The two differ in time steps, solver, starts and observations,
so their returns must not be compared. Suite Playground runs in C MuJoCo, not in MJX or Warp, and each first observation
shows the target where it is; Playground's own shows it where the model has it.
"""

import functools
import importlib
from typing import TYPE_CHECKING

from genelab.registry import register_task

if TYPE_CHECKING:
    from genelab.config.task import TaskSpec

SUITES = {"DMC": "dm_control", "Playground": "MuJoCo Playground"}
"""Who defines the tasks, by the suite's name."""
NAMES = {
    "AcrobotSwingup": "Swing two links up and hold them there.",
    "AcrobotSwingupSparse": "Swing two links up, paid only near the top.",
    "BallInCup": "Swing a ball on a string into its cup.",
    "CartpoleBalance": "Balance a pole on a cart.",
    "CartpoleBalanceSparse": "Balance a pole on a cart, paid only upright in the middle.",
    "CartpoleSwingup": "Swing a pole up on a cart.",
    "CartpoleSwingupSparse": "Swing a pole up on a cart, paid only upright in the middle.",
    "CheetahRun": "Run in a plane on two legs, at 10 m/s at best.",
    "FingerSpin": "Spin a body with a finger.",
    "FingerTurnEasy": "Turn a body with a finger until its tip is at a target.",
    "FingerTurnHard": "Turn a body with a finger until its tip is at a small target.",
    "FishSwim": "Swim to a target.",
    "HopperHop": "Hop forward on one leg.",
    "HopperStand": "Stand on one leg.",
    "HumanoidRun": "Run as a humanoid, at 10 m/s at best.",
    "HumanoidStand": "Stand as a humanoid.",
    "HumanoidWalk": "Walk as a humanoid at 1 m/s.",
    "PendulumSwingup": "Swing a pendulum up with a weak motor.",
    "PointMass": "Push a point to the middle.",
    "ReacherEasy": "Reach a target with two links.",
    "ReacherHard": "Reach a small target with two links.",
    "SwimmerSwimmer6": "Swim to a target with six links.",
    "WalkerRun": "Run in a plane on two legs, at 8 m/s at best.",
    "WalkerStand": "Stand in a plane on two legs.",
    "WalkerWalk": "Walk in a plane on two legs at 1 m/s.",
}
"""What is to be learnt, by the task's name."""


def register() -> None:
    """Register the tasks of both suites. Named by the entry point `control` of the group `genelab.tasks`."""
    for suite, whose in SUITES.items():
        for name, summary in NAMES.items():
            register_task(
                f"{suite}-{name}-v0",
                functools.partial(_made, suite, name),
                robot="Control suite",
                summary=f"{summary[:-1]}, as {whose} defines it.",
                group=suite,
            )


def _made(suite: str, name: str) -> "TaskSpec":
    # Listing waits for no simulator.
    return importlib.import_module("genelab_control.tasks").task(suite, name)
