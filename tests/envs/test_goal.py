from typing import Any

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.config.terms import ObservationGroupCfg, ObservationTermCfg, RewardTermCfg
from genelab.envs.goal import Goal, added, check_goal_terms, reward_range
from genelab.envs.terms import ObservationGroup, takes_goal
from genelab.errors import InputError
from genelab.mdp.goals import GoalView
from genelab.mdp.state import StateView
from genelab.registry import get_task

FRANKA = get_task("GeneLab-Franka-Pick-And-Place-v0").env
POLE = get_task("GeneLab-Inverted-Pendulum-v1").env


def _rewards(env: EnvCfg, **terms: RewardTermCfg) -> EnvCfg:
    return env.model_copy(update={"rewards": {**env.rewards, **terms}})


def _observation(env: EnvCfg, group: str, **terms: ObservationTermCfg) -> EnvCfg:
    cfg = env.observations[group]
    changed = cfg.model_copy(update={"terms": {**cfg.terms, **terms}})
    return env.model_copy(update={"observations": {**env.observations, group: changed}})


def test_a_function_of_the_goal_is_told_by_its_first_argument() -> None:
    assert takes_goal("genelab.mdp.goals:lifted")
    assert not takes_goal("genelab.mdp.observations:object_pos")


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (
            _rewards(FRANKA, alive=RewardTermCfg(func="genelab.mdp.rewards:alive", weight=1.0)),
            "env.rewards.alive.func = 'genelab.mdp.rewards:alive': with env.goal, every reward must be a function of "
            "the goal; without, none can",
        ),
        (
            _rewards(POLE, near=RewardTermCfg(func="genelab.mdp.goals:not_reached", weight=1.0)),
            "env.rewards.near.func = 'genelab.mdp.goals:not_reached': with env.goal, every reward must be a function "
            "of the goal; without, none can",
        ),
        (
            _observation(FRANKA, "observation", goal=ObservationTermCfg(func="genelab.mdp.goals:error", noise=0.01)),
            "env.observations.observation.terms.goal.noise = 0.01: must be null: what follows from the goal is "
            "computed again for other goals",
        ),
        (
            _observation(POLE, "policy", goal=ObservationTermCfg(func="genelab.mdp.goals:desired")),
            "env.observations.policy.terms.goal.func = 'genelab.mdp.goals:desired': is a function of the goal, and "
            "env.goal is null",
        ),
    ],
)
def test_what_cannot_be_judged_again_is_refused(env: EnvCfg, told: str) -> None:
    with pytest.raises(InputError) as caught:
        check_goal_terms(env)
    assert str(caught.value) == told


def test_noise_of_a_goal_term_in_a_group_without_noise_does_no_harm() -> None:
    noisy = ObservationTermCfg(func="genelab.mdp.goals:desired", noise=0.01)
    check_goal_terms(_observation(FRANKA, "desired_goal", goal_position=noisy))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"achieved": "genelab.mdp.observations:no_such"}, "has no function 'no_such'"),
        (
            {"params": {"objekt": "cube"}},
            r"env\.goal\.params = \{'objekt': 'cube'\}: genelab\.mdp\.observations:object_pos .*'object'",
        ),
    ],
)
def test_a_wrong_goal_names_the_field(change: dict[str, Any], told: str) -> None:
    assert FRANKA.goal is not None
    with pytest.raises(InputError, match=told):
        Goal(FRANKA.model_copy(update={"goal": FRANKA.goal.model_copy(update=change)}))


def test_the_range_of_the_reward_follows_from_weights_bounds_and_unit() -> None:
    # -1 where not reached, and 0.2 where lifted.
    assert reward_range(FRANKA) == (-1.0, 0.2)
    low, high = reward_range(FRANKA.model_copy(update={"reward_per": "second"})) or (0.0, 0.0)
    assert (low, high) == pytest.approx((-0.05, 0.01))
    unbounded = FRANKA.rewards["lifted"].model_copy(update={"bounds": None})
    assert reward_range(_rewards(FRANKA, lifted=unbounded)) is None
    assert reward_range(POLE) is None


def test_terms_are_added_one_after_the_other() -> None:
    terms = [torch.tensor([1e8, 1.0]), torch.tensor([1.0, 2.0]), torch.tensor([-1e8, 3.0])]
    # In single precision 1e8 + 1 is 1e8: another order would give 1.
    assert added(iter(terms), terms[0]).tolist() == [0.0, 6.0]


def test_relabelling_keeps_noise_and_scale() -> None:
    terms = {
        "goal": ObservationTermCfg(func="genelab.mdp.goals:error", scale=2.0),
        "own": ObservationTermCfg(func="genelab.mdp.observations:last_action", noise=0.2, scale=10.0),
    }
    observations = {"observation": ObservationGroupCfg(terms=terms, noise=True)}
    group = ObservationGroup("observation", FRANKA.model_copy(update={"observations": observations}), noise=True)
    zeros = {name: torch.zeros(2, 0) for name in StateView.__dataclass_fields__}
    state = StateView(**{**zeros, "action": torch.tensor([[0.5] * 4, [-0.5] * 4])})
    achieved = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    goal = GoalView(achieved, torch.tensor([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]]), 0.05)
    group.measure(state, goal)
    observed = group.compute(state, goal, lambda dim: torch.full((2, dim), 0.75))
    # Draws of 0.75 are half the noise.
    assert observed.tolist() == [
        [0.0, 0.0, 2.0, *[pytest.approx(6.0)] * 4],
        [0.0, 2.0, 0.0, *[pytest.approx(-4.0)] * 4],
    ]
    relabelled = group.relabel(observed, GoalView(achieved, torch.zeros(2, 3), 0.05))
    assert relabelled[:, :3].tolist() == [[-2.0, -4.0, -6.0], [0.0, 0.0, 0.0]]
    assert torch.equal(relabelled[:, 3:], observed[:, 3:])
    # What was there before is not overwritten.
    assert observed[0, 2] == 2.0
