"""Record what the official control suites do, for the tests of the tasks about walking and swimming.

Each suite records in an environment of its own, with its own versions:

    python scripts/record_control_oracles_2.py DMC tests/tasks/control/oracles         (dm_control, "mujoco<4")
    python scripts/record_control_oracles_2.py Playground tests/tasks/control/oracles  (playground)

Of each domain it writes the numbers of the compiled model, two short trajectories under random actions with
observations and the rewards of all tasks, and many starts. Playground's observations and rewards are computed by its
own functions, in 64 bit, but C MuJoCo advances its models: compiling them for JAX takes minutes each.
"""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import mujoco
import numpy as np

TASKS = {
    "cheetah": ("run",),
    "hopper": ("stand", "hop"),
    "walker": ("stand", "walk", "run"),
    "humanoid": ("stand", "walk", "run"),
    "swimmer": ("swimmer6",),
    "fish": ("swim",),
}
STEPS = 30
"""Control steps of a trajectory."""
STARTS = 100
FIELDS = {
    "body": "pos quat ipos iquat mass inertia",
    "jnt": "type pos axis limited range stiffness solref solimp",
    "dof": "armature damping frictionloss",
    "geom": "type pos quat size friction contype conaffinity condim solref solimp",
    "actuator": "gear ctrlrange ctrllimited gainprm biasprm",
    "tendon": "stiffness damping",
}
NAMED = {"body": "nbody", "jnt": "njnt", "geom": "ngeom", "actuator": "nu"}
OPTIONS = "timestep density gravity integrator cone solver iterations ls_iterations disableflags enableflags"
GOOD = {
    # qpos, qvel and target of a second start, near what the reward wants, as {column: value}.
    "cheetah": ({}, {0: 6.0}, None),
    "hopper": ({1: -0.06, 4: -0.05, 5: 0.1}, {0: 1.5}, None),
    "walker": ({}, {1: 1.2}, None),
    "humanoid": ({2: 1.3}, {0: 1.5, 1: 0.5}, None),
    "swimmer": ({}, {}, (0.05, -0.2, 0.05)),
    "fish": ({}, {1: 0.1}, (0.02, 0.15, 0.1)),
}


def model_arrays(model) -> dict[str, np.ndarray]:
    """The numbers of a compiled model."""
    arrays = {f"opt_{name}": np.asarray(getattr(model.opt, name)) for name in OPTIONS.split()}
    for kind, fields in FIELDS.items():
        if kind in NAMED:
            element = {"body": "BODY", "jnt": "JOINT", "geom": "GEOM", "actuator": "ACTUATOR"}[kind]
            count = getattr(model, NAMED[kind])
            ids = [mujoco.mj_id2name(model, getattr(mujoco.mjtObj, f"mjOBJ_{element}"), i) for i in range(count)]
            arrays[f"{kind}_names"] = np.array(ids)
        for field in fields.split():
            arrays[f"{kind}_{field}"] = np.array(getattr(model, f"{kind}_{field}"))
    return arrays


def record_dmc(domain: str) -> dict[str, np.ndarray]:
    """All of one domain, by dm_control."""
    from dm_control import suite

    env = suite.load(domain, TASKS[domain][0], task_kwargs={"random": 1})
    others = [suite.load(domain, name).task for name in TASKS[domain]]
    physics = env.physics
    arrays = model_arrays(physics.model._model)
    has_target = domain in ("swimmer", "fish")

    def target() -> np.ndarray:
        return physics.named.model.geom_pos["target"].copy() if has_target else np.zeros(0)

    rng = np.random.RandomState(2)
    rows: dict[str, list] = {}
    for start in range(2):
        step = env.reset()
        if start == 1:
            qpos, qvel, goal = GOOD[domain]
            with physics.reset_context():
                for k, value in qpos.items():
                    physics.data.qpos[k] = value
                for k, value in qvel.items():
                    physics.data.qvel[k] = value
                if goal is not None:
                    physics.named.model.geom_pos["target"] = goal
            step = step._replace(observation=env.task.get_observation(physics))
        rows_of_start: dict[str, list] = {}
        for _ in range(STEPS):
            action = rng.uniform(-1, 1, physics.model.nu)
            append(rows_of_start, state(physics.data), target=target(), action=action, obs=flat(step.observation))
            step = env.step(action)
            append(rows_of_start, {}, reward=[task.get_reward(physics) for task in others])
        append(rows_of_start, state(physics.data), target=target(), obs=flat(step.observation))
        append(rows, {name: np.array(values) for name, values in rows_of_start.items()})
    starts: dict[str, list] = {}
    for _ in range(STARTS):
        env.reset()
        append(starts, {}, start_qpos=physics.data.qpos.astype(np.float32), start_target=target().astype(np.float32))
    return arrays | {name: np.array(values) for name, values in (rows | starts).items()}


def record_playground(domain: str) -> dict[str, np.ndarray]:
    """All of one domain, by Playground's functions over C MuJoCo."""
    os.environ["JAX_ENABLE_X64"] = "1"
    import jax
    from mujoco import mjx
    from mujoco_playground._src import mjx_env
    from mujoco_playground._src.dm_control_suite import cheetah, fish, hopper, humanoid, swimmer, walker

    module, make, parameters = {
        "cheetah": (cheetah, cheetah.Run, [()]),
        "hopper": (hopper, hopper.Hopper, [(False,), (True,)]),
        "walker": (walker, walker.PlanarWalker, [(0.0,), (1.0,), (8.0,)]),
        "humanoid": (humanoid, humanoid.Humanoid, [(0.0,), (1.0,), (10.0,)]),
        "swimmer": (swimmer, swimmer.Swim, [(6,)]),
        "fish": (fish, fish.Swim, [()]),
    }[domain]
    envs = []
    for arguments in parameters:
        config = module.default_config()
        config.impl = "jax"
        envs.append(make(*arguments, config))
    env = envs[0]
    model = env.mj_model
    arrays = model_arrays(model)

    def view(data):
        """MuJoCo's data in the shapes of MJX."""
        square = {name: getattr(data, name).reshape(-1, 3, 3) for name in ("xmat", "geom_xmat")}
        names = ("qpos", "qvel", "xpos", "xipos", "geom_xpos", "sensordata")
        return SimpleNamespace(**{name: jax.numpy.array(getattr(data, name)) for name in names}, **square)

    # What a reset draws does not depend on what is derived from it; cheetah is settled by C MuJoCo below.
    mjx.forward = mjx_env.step = lambda _model, data, *_: data
    starts: dict[str, list] = {}
    first = None
    for k in range(STARTS):
        reset = env.reset(jax.random.PRNGKey(k)).data
        data = mujoco.MjData(model)
        data.qpos[:] = reset.qpos
        if model.nmocap:
            data.mocap_pos[:] = reset.mocap_pos
        if domain == "cheetah":
            mujoco.mj_step(model, data, 200)
        first = data if first is None else first
        append(
            starts, {}, start_qpos=data.qpos.astype(np.float32), start_target=data.mocap_pos.ravel().astype(np.float32)
        )
    rng = np.random.RandomState(2)
    rows: dict[str, list] = {}
    for start in range(2):
        if start == 0:
            data = first
        else:
            data = mujoco.MjData(model)
            qpos, qvel, goal = GOOD[domain]
            for k, value in qpos.items():
                data.qpos[k] = value
            for k, value in qvel.items():
                data.qvel[k] = value
            if goal is not None:
                data.mocap_pos[:] = goal
        mujoco.mj_forward(model, data)
        of_start: dict[str, list] = {}
        for _ in range(STEPS):
            action = rng.uniform(-1, 1, model.nu)
            obs = env._get_obs(view(data), {})
            append(
                of_start,
                state(data),
                target=data.mocap_pos.ravel().copy(),
                action=action,
                obs=np.array(obs, dtype=np.float32),
            )
            data.ctrl[:] = action
            mujoco.mj_step(model, data, env.n_substeps)
            rewards = [float(one._get_reward(view(data), jax.numpy.array(action), {}, {})) for one in envs]
            append(of_start, {}, reward=rewards)
        obs = env._get_obs(view(data), {})
        append(of_start, state(data), target=data.mocap_pos.ravel().copy(), obs=np.array(obs, dtype=np.float32))
        append(rows, {name: np.array(values) for name, values in of_start.items()})
    return arrays | {name: np.array(values) for name, values in (rows | starts).items()}


def state(data) -> dict[str, np.ndarray]:
    """What the next step depends on."""
    return {name: np.array(getattr(data, name)) for name in ("qpos", "qvel", "qacc_warmstart")}


def flat(observation) -> np.ndarray:
    """All parts in order."""
    return np.concatenate([np.ravel(part) for part in observation.values()], dtype=np.float32)


def append(lists: dict[str, list], values: dict, **more) -> None:
    """Append each value to its list."""
    for name, value in (values | more).items():
        lists.setdefault(name, []).append(value)


def main() -> None:
    """Record the suite of the first argument into the folder of the second."""
    suite, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for domain in sys.argv[3:] or TASKS:
        record = record_dmc if suite == "DMC" else record_playground
        np.savez_compressed(folder / f"{suite}_{domain}.npz", **record(domain))
        print(f"{suite} {domain} recorded with mujoco {mujoco.__version__}")


if __name__ == "__main__":
    main()
