"""Record what the official control suites do, for the tests of `genelab_control`.

Each suite records in a virtual environment of its own, with its own versions:

    python scripts/record_control_oracles.py DMC tests/tasks/control/oracles         (dm_control "mujoco<4")
    python scripts/record_control_oracles.py Playground tests/tasks/control/oracles  (playground)

Names of groups may follow; without them all are recorded. For each group of tasks that share model, starts and
observations it writes the numbers of the compiled model, two short trajectories under random actions, with
observations and the rewards of all tasks of the group, and many starts. Playground computes observations and rewards by
its own functions in 64 bit, but C MuJoCo advances its models: compiling them for JAX takes minutes each.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np

STEPS = 30
"""Control steps of a trajectory."""
STARTS = 100
FIELDS = {
    "body": "pos quat ipos iquat mass inertia",
    "jnt": "type pos axis limited range stiffness solref solimp",
    "dof": "armature damping frictionloss",
    "geom": "type pos quat size friction contype conaffinity condim solref solimp",
    "site": "type pos quat size",
    "actuator": "gear ctrlrange ctrllimited gainprm biasprm",
    "tendon": "stiffness damping limited range solref_lim solimp_lim",
    "wrap": "type prm",
}
"""Fields of the compiled model."""
NAMED = {"body": "nbody", "jnt": "njnt", "geom": "ngeom", "site": "nsite", "actuator": "nu", "tendon": "ntendon"}
"""Kinds that are compared by name, and their number."""
OPTIONS = "timestep density gravity integrator cone solver iterations ls_iterations disableflags enableflags"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Group:
    """Tasks that differ in their rewards alone."""

    domain: str
    """In dm_control."""
    tasks: dict[str, str]
    """Names in dm_control, by those in Playground."""
    qpos: dict[int, float] = field(default_factory=dict)
    """Of the second trajectory's start, near to what the reward wants, by column. The others are 0."""
    qvel: dict[int, float] = field(default_factory=dict)
    goal: tuple[float, ...] | None = None
    """The target's position there."""
    target: str | None = None
    """Field of dm_control's model that holds the target's position."""


GROUPS = {
    "cartpole_balance": Group(
        "cartpole", {"CartpoleBalance": "balance", "CartpoleBalanceSparse": "balance_sparse"}, {0: 0.22, 1: 0.05}
    ),
    "cartpole_swingup": Group(
        "cartpole", {"CartpoleSwingup": "swingup", "CartpoleSwingupSparse": "swingup_sparse"}, {1: 0.05}, {1: -3.0}
    ),
    "pendulum": Group("pendulum", {"PendulumSwingup": "swingup"}, {0: -0.15}, {0: 0.3}),
    "acrobot": Group(
        "acrobot", {"AcrobotSwingup": "swingup", "AcrobotSwingupSparse": "swingup_sparse"}, {0: 0.1, 1: -0.1}
    ),
    "ball_in_cup": Group("ball_in_cup", {"BallInCup": "catch"}, {3: 0.36}),
    "point_mass": Group("point_mass", {"PointMass": "easy"}, {0: 0.01, 1: -0.02}, {0: -0.02}),
    "reacher_easy": Group(
        "reacher", {"ReacherEasy": "easy"}, {0: 0.3, 1: 0.5}, {1: 1.0}, (0.2, 0.12, 0.01), "geom_pos"
    ),
    "reacher_hard": Group(
        "reacher", {"ReacherHard": "hard"}, {0: 0.3, 1: 0.5}, {1: 0.5}, (0.2, 0.12, 0.01), "geom_pos"
    ),
    "finger_spin": Group("finger", {"FingerSpin": "spin"}, {0: 0.5, 1: -0.9}, {2: -17.0}),
    "finger_turn_easy": Group(
        "finger", {"FingerTurnEasy": "turn_easy"}, {0: 0.5, 1: -0.9, 2: 0.2}, {}, (0.2, 0.0, 0.53), "site_pos"
    ),
    "finger_turn_hard": Group(
        "finger", {"FingerTurnHard": "turn_hard"}, {0: 0.5, 1: -0.9, 2: 0.2}, {}, (0.2, 0.0, 0.53), "site_pos"
    ),
    "cheetah": Group("cheetah", {"CheetahRun": "run"}, {}, {0: 6.0}),
    "hopper": Group("hopper", {"HopperStand": "stand", "HopperHop": "hop"}, {1: -0.06, 4: -0.05, 5: 0.1}, {0: 1.5}),
    "walker": Group("walker", {"WalkerStand": "stand", "WalkerWalk": "walk", "WalkerRun": "run"}, {}, {1: 1.2}),
    "humanoid": Group(
        "humanoid",
        {"HumanoidStand": "stand", "HumanoidWalk": "walk", "HumanoidRun": "run"},
        {2: 1.3, 3: 1.0},
        {0: 1.5, 1: 0.5},
    ),
    "swimmer": Group("swimmer", {"SwimmerSwimmer6": "swimmer6"}, {}, {}, (0.05, -0.2, 0.05), "geom_pos"),
    "fish": Group("fish", {"FishSwim": "swim"}, {3: 1.0}, {1: 0.1}, (0.02, 0.15, 0.1), "geom_pos"),
}


class Recorder:
    """Appends values to lists by name, and makes arrays of them."""

    def __init__(self) -> None:
        self._lists: dict[str, list[Any]] = {}

    def add(self, **values: object) -> None:
        """Append copies."""
        for name, value in values.items():
            self._lists.setdefault(name, []).append(np.array(value))

    def arrays(self) -> Arrays:
        """One array for each name."""
        return {name: np.array(values) for name, values in self._lists.items()}


def model_arrays(model: Any) -> Arrays:
    """The numbers of a compiled model."""
    arrays = {f"opt_{name}": np.asarray(getattr(model.opt, name)) for name in OPTIONS.split()}
    for kind, fields in FIELDS.items():
        if kind in NAMED:
            access = getattr(model, {"jnt": "joint"}.get(kind, kind))
            arrays[f"{kind}_names"] = np.array([access(k).name for k in range(getattr(model, NAMED[kind]))], dtype=str)
        for name in fields.split():
            arrays[f"{kind}_{name}"] = np.array(getattr(model, f"{kind}_{name}"))
    return {name: array for name, array in arrays.items() if array.size}


def state(data: Any) -> Arrays:
    """What the next step depends on."""
    return {name: getattr(data, name) for name in ("qpos", "qvel", "qacc_warmstart")}


def put(group: Group, data: Any) -> None:
    """Write the second trajectory's start."""
    for name, values in {"qpos": group.qpos, "qvel": group.qvel}.items():
        array = getattr(data, name)
        array[:] = 0.0
        for column, value in values.items():
            array[column] = value


def record_dmc(group: Group) -> Arrays:
    """A group, by dm_control."""
    from dm_control import suite

    envs = [suite.load(group.domain, name, task_kwargs={"random": 1}) for name in group.tasks.values()]
    env, physics = envs[0], envs[0].physics
    env.reset()
    arrays = model_arrays(physics.model._model)

    def target() -> np.ndarray:
        return getattr(physics.named.model, group.target)["target"] if group.target else np.zeros(0)

    def observation() -> np.ndarray:
        return np.concatenate([np.ravel(part) for part in env.task.get_observation(physics).values()])

    rng = np.random.default_rng(2)
    trajectories = Recorder()
    for near in (False, True):
        env.reset()
        if near:
            with physics.reset_context():
                put(group, physics.data)
                if group.goal:
                    target()[:] = group.goal
        rows = Recorder()
        for _ in range(STEPS):
            action = rng.uniform(-1, 1, physics.model.nu)
            rows.add(**state(physics.data), target=target(), action=action, obs=observation())
            env.step(action)
            rows.add(reward=[other.task.get_reward(physics) for other in envs])
        rows.add(**state(physics.data), target=target(), obs=observation())
        trajectories.add(**rows.arrays())
    starts = Recorder()
    for _ in range(STARTS):
        env.reset()
        starts.add(start_qpos=physics.data.qpos, start_qvel=physics.data.qvel, start_target=target())
    return arrays | trajectories.arrays() | single(starts)


def record_playground(group: Group) -> Arrays:
    """A group, by Playground's functions over C MuJoCo."""
    os.environ["JAX_ENABLE_X64"] = "1"
    import jax
    from mujoco import mjx
    from mujoco_playground._src import dm_control_suite, mjx_env

    envs = [dm_control_suite.load(name, config_overrides={"impl": "jax"}) for name in group.tasks]
    env, model = envs[0], envs[0].mj_model
    arrays = model_arrays(model)

    def view(data: Any) -> Any:
        """MuJoCo's data in the shapes of MJX."""
        names = ("qpos", "qvel", "xpos", "xipos", "geom_xpos", "site_xpos", "sensordata")
        fields = {name: jax.numpy.array(getattr(data, name)) for name in names}
        square = {name: jax.numpy.array(getattr(data, name).reshape(-1, 3, 3)) for name in ("xmat", "geom_xmat")}
        return SimpleNamespace(**fields, **square)

    # What a reset draws depends on nothing that is derived from it. Cheetah is settled by C MuJoCo below.
    forward, step = mjx.forward, mjx_env.step
    mjx.forward = lambda _, data: data
    mjx_env.step = lambda _, data, *__: data
    starts, first = Recorder(), None
    hinge = model.joint("hinge").id if group.target == "site_pos" else None
    for k in range(STARTS):
        # The spinner's hinge is where the model has it, which the reset reads.
        if hinge is not None:
            xanchor = jax.numpy.array(model.body_pos[model.jnt_bodyid[hinge]])
            mjx.forward = lambda _, data, xanchor=xanchor: data.replace(xanchor=data.xanchor.at[hinge].set(xanchor))
        reset = env.reset(jax.random.PRNGKey(k)).data
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = reset.qpos, reset.qvel
        if model.nmocap:
            data.mocap_pos[:] = reset.mocap_pos
        if group.domain == "cheetah":
            mujoco.mj_step(model, data, 200)
        first = first or data
        starts.add(start_qpos=data.qpos, start_qvel=data.qvel, start_target=data.mocap_pos.ravel())
    mjx.forward, mjx_env.step = forward, step
    rng = np.random.default_rng(2)
    trajectories = Recorder()
    for near in (False, True):
        data = mujoco.MjData(model) if near else first
        if near:
            put(group, data)
            if group.goal:
                data.mocap_pos[:] = group.goal
        mujoco.mj_forward(model, data)
        rows = Recorder()
        for _ in range(STEPS):
            action = rng.uniform(-1, 1, model.nu)
            obs = env._get_obs(view(data), {})
            rows.add(**state(data), target=data.mocap_pos.ravel(), action=action, obs=obs)
            data.ctrl[:] = action
            mujoco.mj_step(model, data, env.n_substeps)
            rows.add(reward=[float(other._get_reward(view(data), jax.numpy.array(action), {}, {})) for other in envs])
        rows.add(**state(data), target=data.mocap_pos.ravel(), obs=env._get_obs(view(data), {}))
        trajectories.add(**rows.arrays())
    return arrays | trajectories.arrays() | single(starts)


def pack(arrays: Arrays) -> Arrays:
    """Two arrays instead of many, which take less: all numbers in a row, and as JSON what they are.

    The JSON has a list of names for each array of strings, and a shape for each of numbers, in order.
    """
    layout = {name: array.tolist() if array.dtype.kind == "U" else array.shape for name, array in arrays.items()}
    numbers = [array.ravel() for array in arrays.values() if array.dtype.kind != "U"]
    return {"layout": np.array(json.dumps(layout)), "numbers": np.concatenate(numbers, dtype=np.float64)}


def single(starts: Recorder) -> Arrays:
    """Starts are compared in distribution, for which 32 bit do."""
    return {name: array.astype(np.float32) for name, array in starts.arrays().items()}


def main() -> None:
    """Record groups of the suite that the first argument names into the folder of the second."""
    suite, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[3:] or GROUPS:
        record = record_dmc if suite == "DMC" else record_playground
        np.savez_compressed(folder / f"{suite}_{name}.npz", **pack(record(GROUPS[name])))
        print(f"{suite} {name}: recorded with MuJoCo {mujoco.__version__}")


if __name__ == "__main__":
    main()
