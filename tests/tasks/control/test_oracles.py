"""Every task against what the official suites did, recorded by `scripts/record_control_oracles.py`."""

import json
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, get_args

import mujoco
import numpy as np
import pytest
from scipy.stats import ks_2samp

from genelab_control.batch import ControlBatch, Draw
from genelab_control.catalogue import TASKS
from genelab_control.domain import Suite

ORACLES = Path(__file__).parent / "oracles"
GROUPS = {
    "cartpole_balance": ("CartpoleBalance", "CartpoleBalanceSparse"),
    "cartpole_swingup": ("CartpoleSwingup", "CartpoleSwingupSparse"),
    "pendulum": ("PendulumSwingup",),
    "acrobot": ("AcrobotSwingup", "AcrobotSwingupSparse"),
    "ball_in_cup": ("BallInCup",),
    "point_mass": ("PointMass",),
    "reacher_easy": ("ReacherEasy",),
    "reacher_hard": ("ReacherHard",),
    "finger_spin": ("FingerSpin",),
    "finger_turn_easy": ("FingerTurnEasy",),
    "finger_turn_hard": ("FingerTurnHard",),
    "cheetah": ("CheetahRun",),
    "hopper": ("HopperStand", "HopperHop"),
    "walker": ("WalkerStand", "WalkerWalk", "WalkerRun"),
    "humanoid": ("HumanoidStand", "HumanoidWalk", "HumanoidRun"),
    "swimmer": ("SwimmerSwimmer6",),
    "fish": ("FishSwim",),
}
"""Tasks that differ in their rewards alone, in the order of the recorded rewards."""
DECORATION = {"root", "eye", "eyes", "lower_mouth"}
"""Geometries without mass and contacts that are left out."""
Oracle = dict[str, Any]

both_suites = pytest.mark.parametrize("suite", get_args(Suite))
every_group = pytest.mark.parametrize("group", GROUPS)
every_task = pytest.mark.parametrize(
    ("group", "task", "index"), [(group, task, i) for group, tasks in GROUPS.items() for i, task in enumerate(tasks)]
)


@cache
def oracle_of(suite: Suite, group: str) -> Oracle:
    with np.load(ORACLES / f"{suite}_{group}.npz") as file:
        layout, numbers = json.loads(str(file["layout"])), file["numbers"]
    oracle: Oracle = {}
    at = 0
    for name, shape in layout.items():
        if name.endswith("_names"):
            oracle[name] = shape
        else:
            oracle[name] = numbers[at : at + prod(shape)].reshape(shape)
            at += prod(shape)
    assert at == len(numbers)
    return oracle


def batch_at(suite: Suite, group: str, task: str, steps: slice) -> ControlBatch:
    """A simulation for each recorded state of these steps, of both trajectories."""
    oracle = oracle_of(suite, group)
    batch = ControlBatch(TASKS[task](suite), oracle["qpos"][:, steps, 0].size)
    rows = {name: oracle[name][:, steps].reshape(batch.num_envs, -1) for name in ("qpos", "qvel", "qacc_warmstart")}
    for name, values in rows.items():
        getattr(batch.sims, name)[:] = values
    if batch.task.model.nmocap:
        batch.sims.mocap_pos[:, 0] = oracle["target"][:, steps].reshape(batch.num_envs, 3)
    return batch


def drawer(seed: int) -> Draw:
    rng = np.random.default_rng(seed)
    return lambda rows, _, dim: rng.random((len(rows), dim))


def without_effect(model: Any, key: str, name: str) -> bool:
    """Whether a number is of a limit that is off, or of contacts where they are off."""
    if key in ("jnt_range", "jnt_solref", "jnt_solimp"):
        return not model.joint(name).limited[0]
    no_contacts = model.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    return key in ("geom_contype", "geom_conaffinity") and bool(no_contacts)


@both_suites
@every_group
def test_the_compiled_model_is_the_official_one(suite: Suite, group: str) -> None:
    oracle, model = oracle_of(suite, group), TASKS[GROUPS[group][0]](suite).model
    # Only counted, never read: the energies of a state.
    energy = int(mujoco.mjtEnableBit.mjENBL_ENERGY)
    for key in (key for key in oracle if key.startswith("opt_")):
        want = int(oracle[key]) & ~energy if key == "opt_enableflags" else oracle[key]
        np.testing.assert_array_equal(getattr(model.opt, key.removeprefix("opt_")), want, err_msg=key)
    for kind in ("body", "jnt", "geom", "site", "actuator", "tendon"):
        official: list[str] = oracle.get(f"{kind}_names", [])
        access = getattr(model, {"jnt": "joint"}.get(kind, kind))
        count = getattr(model, {"body": "nbody", "jnt": "njnt", "actuator": "nu"}.get(kind, f"n{kind}"))
        names = [access(k).name for k in range(count)]
        # DMC's targets are of the world's body, and spinning needs none. A site acts through sensors alone.
        allowed = {"body": {"target"}, "site": {"target", *official}}.get(kind, DECORATION)
        assert set(names) ^ set(official) <= allowed
        both = [name for name in official if name in names]
        if suite == "Playground":
            assert both == [name for name in names if name in official]
        for key in (key for key in oracle if key.startswith(f"{kind}_") and key != f"{kind}_names"):
            for name in both:
                if (name == "target" and key.endswith(("_pos", "_quat"))) or without_effect(model, key, name):
                    continue
                got, want = getattr(model, key)[names.index(name)], oracle[key][official.index(name)]
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15, err_msg=f"{key} {name}")
    for key in (key for key in oracle if key.startswith(("dof_", "wrap_"))):
        np.testing.assert_array_equal(getattr(model, key), oracle[key], err_msg=key)


@both_suites
@every_task
def test_a_control_step_is_the_official_one(suite: Suite, group: str, task: str, index: int) -> None:
    oracle = oracle_of(suite, group)
    batch = batch_at(suite, group, task, slice(None, -1))
    step = batch.step(oracle["action"].reshape(batch.num_envs, -1))
    assert not step.broken.any()
    # Measured: bit-equal but for contacts, which between MuJoCo 3.17 and 4.0 make 3e-14.
    want = {name: oracle[name][:, 1:].reshape(batch.num_envs, -1) for name in ("qpos", "qvel", "obs")}
    for name, got in {"qpos": batch.sims.qpos, "qvel": batch.sims.qvel, "obs": step.observation}.items():
        np.testing.assert_allclose(got, want[name], rtol=1e-9, atol=1e-9, err_msg=name)
    rewards = oracle["reward"][:, :, index].ravel()
    assert np.ptp(rewards) > 0.05
    np.testing.assert_allclose(step.reward, rewards, rtol=0, atol=1e-9)


@both_suites
@every_group
def test_a_trajectory_stays_at_the_official_one(suite: Suite, group: str) -> None:
    oracle = oracle_of(suite, group)
    batch = batch_at(suite, group, GROUPS[group][0], slice(0, 1))
    for actions in oracle["action"].swapaxes(0, 1):
        batch.step(actions)
    np.testing.assert_allclose(batch.sims.qpos, oracle["qpos"][:, -1], rtol=0, atol=1e-8)
    np.testing.assert_allclose(batch.sims.qvel, oracle["qvel"][:, -1], rtol=0, atol=1e-8)


@both_suites
@every_group
def test_starts_are_drawn_as_by_the_official_suite(suite: Suite, group: str) -> None:
    oracle = oracle_of(suite, group)
    batch = ControlBatch(TASKS[GROUPS[group][0]](suite), 400)
    batch.reset(np.arange(400), drawer(1))
    pairs = [(batch.sims.qpos, oracle["start_qpos"]), (batch.sims.qvel, oracle["start_qvel"])]
    if batch.task.model.nmocap:
        pairs.append((batch.sims.mocap_pos[:, 0], oracle["start_target"]))
    for got, want in pairs:
        # Rounded as the recording is, so that what is never drawn is equal.
        for column, (ours, theirs) in enumerate(zip(got.astype(np.float32).T, want.T, strict=True)):
            assert ks_2samp(ours, theirs).pvalue > 1e-3, column
    # Playground draws finger and spinner together.
    drawn = np.ptp(oracle["start_qpos"], axis=0) > 0.0
    ours, theirs = (np.corrcoef(qpos[:, drawn].T) for qpos in (batch.sims.qpos, oracle["start_qpos"]))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.5)
