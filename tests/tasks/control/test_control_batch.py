"""Many simulations of a control task: independence, exact states, what is cut, reported and refused."""

import numpy as np
import pytest

from genelab.errors import RunError
from genelab_control.batch import ControlBatch, Draw, Rows
from genelab_control.catalogue import TASKS
from genelab_control.domain import Floats, Suite, normal, tolerance

CASES: list[tuple[str, Suite]] = [("ReacherEasy", "DMC"), ("BallInCup", "DMC"), ("FingerTurnHard", "Playground")]
cases = pytest.mark.parametrize(("name", "suite"), CASES)


def draws(rows: Rows, attempt: int, dim: int) -> Floats:
    """The same for a row and an attempt, whatever else is asked for."""
    return np.array([np.random.default_rng([row, attempt]).random(dim) for row in rows])


def begun(name: str, suite: Suite, num_envs: int, threads: int = 1, draw: Draw = draws) -> ControlBatch:
    batch = ControlBatch(TASKS[name](suite), num_envs, threads)
    batch.reset(np.arange(num_envs), draw)
    return batch


def actions(batch: ControlBatch, step: int) -> Floats:
    rows = [np.random.default_rng([row, step, 7]).normal(size=batch.task.model.nu) for row in range(batch.num_envs)]
    return np.array(rows)


@cases
def test_simulations_depend_on_neither_their_number_nor_threads(name: str, suite: Suite) -> None:
    few, many = begun(name, suite, 3), begun(name, suite, 20, threads=2)
    np.testing.assert_array_equal(few.observation, many.observation[:3])
    for step in range(20):
        one, other = few.step(actions(few, step)), many.step(actions(many, step))
        np.testing.assert_array_equal(one.observation, other.observation[:3])
        np.testing.assert_array_equal(one.reward, other.reward[:3])


@cases
def test_a_saved_state_goes_on_bit_equal_in_a_new_batch(name: str, suite: Suite) -> None:
    batch = begun(name, suite, 5)
    for step in range(10):
        batch.step(actions(batch, step))
    batch.reset(np.array([1, 4]), lambda rows, attempt, dim: draws(rows + 10, attempt, dim))
    state = batch.state_dict()
    other = ControlBatch(TASKS[name](suite), 5)
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.observation, batch.observation)
    for step in range(10, 30):
        one, again = batch.step(actions(batch, step)), other.step(actions(other, step))
        np.testing.assert_array_equal(one.observation, again.observation)
        np.testing.assert_array_equal(one.reward, again.reward)


def test_a_reset_leaves_the_others_alone_and_observes_the_start() -> None:
    batch = begun("ReacherEasy", "DMC", 4)
    before = batch.step(actions(batch, 0)).observation
    batch.reset(np.array([2]), draws)
    np.testing.assert_array_equal(batch.observation[[0, 1, 3]], before[[0, 1, 3]])
    np.testing.assert_array_equal(batch.observation[2], begun("ReacherEasy", "DMC", 3).observation[2])
    # Of an arm whose first link has the angle a, and its second a + b: where the target is, minus where the tip is.
    a, b, *to_target = batch.observation[2][:4]
    tip = 0.12 * np.array([np.cos(a) + np.cos(a + b), np.sin(a) + np.sin(a + b)])
    np.testing.assert_allclose(batch.sims.mocap_pos[2, 0, :2] - tip, to_target, atol=1e-12)


def test_playground_observes_bodies_one_physics_step_late() -> None:
    batch = begun("CartpoleBalance", "Playground", 1)
    cos = np.cos(batch.sims.qpos[0, 1])
    np.testing.assert_allclose(batch.step(np.ones((1, 1))).observation[0, 1], cos, atol=1e-12)
    assert abs(np.cos(batch.sims.qpos[0, 1]) - cos) > 1e-5


def test_actions_are_cut() -> None:
    one, other = begun("PointMass", "DMC", 2), begun("PointMass", "DMC", 2)
    np.testing.assert_array_equal(
        one.step(np.array([[3.0, -0.5], [-9.0, 1.0]])).observation,
        other.step(np.array([[1.0, -0.5], [-1.0, 1.0]])).observation,
    )


def test_a_simulation_that_fails_is_reported_and_no_other() -> None:
    batch, other = begun("ReacherEasy", "DMC", 4), begun("ReacherEasy", "DMC", 4)
    batch.sims.qvel[1] = np.nan
    step, want = batch.step(actions(batch, 0)), other.step(actions(other, 0))
    assert step.broken.tolist() == [False, True, False, False]
    assert step.reward[1] == 0.0
    np.testing.assert_array_equal(step.observation[[0, 2, 3]], want.observation[[0, 2, 3]])
    batch.reset(np.array([1]), draws)
    assert not batch.step(actions(batch, 1)).broken.any()


def test_a_start_that_always_collides_is_refused() -> None:
    # The ball in the wall of the cup.
    with pytest.raises(RunError, match=r"no start without a contact in 1000 attempts, environment 0"):
        begun("BallInCup", "DMC", 1, draw=lambda rows, *_: np.tile([0.5, 0.33], (len(rows), 1)))


def test_tolerance_falls_as_its_shape_says() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0, 5.0])
    np.testing.assert_array_equal(tolerance(x, (1.0, 2.0)), [0, 1, 1, 0, 0])
    np.testing.assert_allclose(tolerance(x, (1.0, 2.0), margin=1.0), [0.1, 1, 1, 0.1, 1e-9])
    np.testing.assert_allclose(tolerance(x, (1.0, 2.0), 2.0, "long_tail", 0.2), [0.5, 1, 1, 0.5, 0.1])
    np.testing.assert_allclose(tolerance(x, (1.0, 2.0), 2.0, "linear", 0.0), [0.5, 1, 1, 0.5, 0])
    np.testing.assert_allclose(tolerance(x, (1.0, np.inf), 2.0, "quadratic", 0.5), [0.875, 1, 1, 1, 1])


def test_normal_draws_are_finite_at_both_ends_and_standard() -> None:
    values = normal((np.arange(2**16) + 0.5) / 2**16)
    assert abs(values.mean()) < 1e-6
    assert abs(values.std() - 1.0) < 1e-3
    assert np.isfinite(normal(np.array([0.0, 1.0 - 2.0**-24]))).all()
