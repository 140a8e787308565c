"""Walkers and swimmers against what the official suites did, recorded by `scripts/record_control_oracles_2.py`."""

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch
from scipy.stats import ks_2samp

from genelab_control.domain import ControlTask, Suite

ORACLES = Path(__file__).parent / "oracles"
DOMAINS = ("cheetah", "hopper", "walker", "humanoid", "swimmer", "fish")
SUITES: tuple[Suite, ...] = get_args(Suite)
TOUCH = {"hopper": slice(13, 15)}
"""Columns of contact forces, which follow from the step and not from the state that it leads to."""
STAGES = {"DMC": mujoco.mjtStage.mjSTAGE_VEL, "Playground": mujoco.mjtStage.mjSTAGE_NONE}
"""What is derived after a step: DMC observes the new state, Playground the one before the last physics step."""
Oracle = dict[str, Any]

every_domain = pytest.mark.parametrize("domain", DOMAINS)
both_suites = pytest.mark.parametrize("suite", SUITES)


@cache
def oracle_of(suite: Suite, domain: str) -> Oracle:
    with np.load(ORACLES / f"{suite}_{domain}.npz") as file:
        return dict(file)


def tasks_of(suite: Suite, domain: str) -> list[ControlTask]:
    tasks: dict[str, Callable[[Suite], ControlTask]] = importlib.import_module(f"genelab_control.{domain}").TASKS
    return [make(suite) for make in tasks.values()]


def simulations(task: ControlTask, n: int) -> Batch:
    """Simulations whose fields are bound."""
    sims = Batch(task.model, n, 1, persistent=True)
    task.observe(sims), task.reward(sims, np.zeros((n, task.model.nu)))
    sims.bind("ncon")
    return sims


def put(sims: Batch, oracle: Oracle, steps: slice) -> None:
    """Write states of the recorded trajectories, one after the other, to the simulations."""
    for name in ("qpos", "qvel", "qacc_warmstart"):
        getattr(sims, name)[:] = oracle[name][:, steps].reshape(sims.nsim, -1)
    if sims.model.nmocap:
        sims.mocap_pos[:, 0] = oracle["target"][:, steps].reshape(sims.nsim, 3)


def begin(task: ControlTask, n: int) -> Batch:
    """Simulations at starts of the task."""
    rng = np.random.default_rng(1)
    sims = simulations(task, n)
    left = np.arange(n)
    while left.size:
        start = task.start(rng.random((left.size, task.start_draws)))
        sims.qpos[left] = start.qpos
        assert start.qvel is None
        if start.target is not None:
            sims.mocap_pos[left, 0] = start.target
        sims.forward()
        left = left[sims.ncon[left] > 0] if task.collision_free else left[:0]
    if task.settle_steps:
        sims.step(nstep=task.settle_steps)
    return sims


@both_suites
@every_domain
def test_the_compiled_model_is_the_official_one(suite: Suite, domain: str) -> None:
    oracle, model = oracle_of(suite, domain), tasks_of(suite, domain)[0].model
    for name in ("timestep", "density", "gravity", "integrator", "cone", "solver", "iterations", "ls_iterations"):
        np.testing.assert_array_equal(getattr(model.opt, name), oracle[f"opt_{name}"], err_msg=name)
    # In the fish, contacts are off as well, where no constraint acts.
    contacts = int(mujoco.mjtDisableBit.mjDSBL_CONTACT) if domain == "fish" else 0
    assert model.opt.disableflags | contacts == int(oracle["opt_disableflags"]) | contacts
    assert model.opt.enableflags == int(oracle["opt_enableflags"])
    no_contacts = bool(model.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_CONTACT))
    for kind in ("body", "jnt", "geom", "actuator"):
        access = getattr(model, {"jnt": "joint"}.get(kind, kind))
        official = {str(name): k for k, name in enumerate(oracle[f"{kind}_names"])}
        count = getattr(model, {"body": "nbody", "jnt": "njnt", "geom": "ngeom", "actuator": "nu"}[kind])
        names = [access(k).name for k in range(count)]
        # A target is a body here, and a geometry of the world in DMC; decoration without mass is left out.
        assert set(names) - {"target"} <= set(official)
        assert set(official) - set(names) <= {"eye", "eyes", "lower_mouth"} if kind == "geom" else {"target"}
        ours = [k for k, name in enumerate(names) if name in official and name != "target"]
        theirs = [official[names[k]] for k in ours]
        assert theirs == sorted(theirs)
        for key in (key for key in oracle if key.startswith(f"{kind}_") and key != f"{kind}_names"):
            if no_contacts and key in ("geom_contype", "geom_conaffinity"):
                continue
            got, want = getattr(model, key)[ours], oracle[key][theirs]
            if key in ("jnt_range", "jnt_solref", "jnt_solimp"):
                # Of no effect without a limit.
                limited = model.jnt_limited[ours].astype(bool)
                got, want = got[limited], want[limited]
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15, err_msg=key)
    for key in (key for key in oracle if key.startswith(("dof_", "tendon_"))):
        np.testing.assert_array_equal(getattr(model, key), oracle[key], err_msg=key)


@every_domain
def test_a_state_is_observed_and_rewarded_as_by_dm_control(domain: str) -> None:
    oracle = oracle_of("DMC", domain)
    actions = oracle["action"].reshape(-1, oracle["action"].shape[2])
    want = oracle["obs"][:, 1:].reshape(len(actions), -1)
    for k, task in enumerate(tasks_of("DMC", domain)):
        sims = simulations(task, len(actions))
        put(sims, oracle, slice(1, None))
        sims.forward()
        assert want.shape[1] == len(task.columns)
        from_state = np.delete(np.arange(want.shape[1]), TOUCH.get(domain, []))
        np.testing.assert_allclose(task.observe(sims)[:, from_state], want[:, from_state], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(task.reward(sims, actions), oracle["reward"][:, :, k].ravel(), rtol=0, atol=1e-6)


@both_suites
@every_domain
def test_a_control_step_leads_where_the_official_suite_went(suite: Suite, domain: str) -> None:
    oracle = oracle_of(suite, domain)
    actions = oracle["action"].reshape(-1, oracle["action"].shape[2])
    for k, task in enumerate(tasks_of(suite, domain)):
        sims = simulations(task, len(actions))
        put(sims, oracle, slice(None, -1))
        sims.ctrl = actions
        sims.step(nstep=task.substeps, stage=STAGES[suite])
        for got, name in ((sims.qpos, "qpos"), (sims.qvel, "qvel"), (task.observe(sims), "obs")):
            want = oracle[name][:, 1:].reshape(got.shape)
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(task.reward(sims, actions), oracle["reward"][:, :, k].ravel(), rtol=0, atol=1e-6)


@both_suites
@every_domain
def test_thirty_control_steps_stay_near_the_official_ones(suite: Suite, domain: str) -> None:
    oracle, task = oracle_of(suite, domain), tasks_of(suite, domain)[0]
    sims = simulations(task, 2)
    put(sims, oracle, slice(0, 1))
    for step in range(oracle["action"].shape[1]):
        sims.ctrl = oracle["action"][:, step]
        sims.step(nstep=task.substeps, stage=STAGES[suite])
    # Measured: 2e-11 at most, between MuJoCo 3.17 and 4.0, contacts included. Contacts make differences grow.
    np.testing.assert_allclose(sims.qpos, oracle["qpos"][:, -1], rtol=0, atol=1e-8)
    np.testing.assert_allclose(sims.qvel, oracle["qvel"][:, -1], rtol=0, atol=1e-7)


@both_suites
@every_domain
def test_starts_are_drawn_as_by_the_official_suite(suite: Suite, domain: str) -> None:
    oracle, task = oracle_of(suite, domain), tasks_of(suite, domain)[0]
    sims = begin(task, 300)
    pairs = [(sims.qpos, oracle["start_qpos"])]
    if task.model.nmocap:
        pairs.append((sims.mocap_pos[:, 0], oracle["start_target"]))
    for got, want in pairs:
        # Rounded as the recording is, so that what is never drawn is equal.
        for column, (ours, theirs) in enumerate(zip(got.astype(np.float32).T, want.T, strict=True)):
            assert ks_2samp(ours, theirs).pvalue > 1e-3, column
