import json
import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genelab.config.base import LARGEST_FLOAT
from genelab.config.choices import choices
from genelab.config.fields import leaves
from genelab.config.overrides import PARTS, Override, apply_overrides, from_environment
from genelab.config.snapshot import dump_task, load_task
from genelab.config.stage import StageCfg
from genelab.errors import InputError
from genelab.records.files import parse_json
from genelab.registry import all_tasks, get_task

TASK = get_task("GeneLab-Double-Inverted-Pendulum-v1")
VALUES = {leaf.path: leaf.value for leaf in leaves(TASK) if leaf.path.startswith(PARTS) and leaf.value != {}}

json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=5)
json_values = json_scalars | st.lists(json_scalars, max_size=3) | st.dictionaries(st.text(max_size=3), json_scalars)


def test_changes_one_value_and_reports_it() -> None:
    changed, overrides = apply_overrides(TASK, ["env.rewards.alive.weight=2", "agent.actor.activation=tanh"])
    assert overrides == [
        Override(path="env.rewards.alive.weight", old=1.0, new=2.0),
        Override(path="agent.actor.activation", old="elu", new="tanh"),
    ]
    assert changed.env.rewards["alive"].weight == 2.0
    assert changed.agent.actor.activation == "tanh"
    assert TASK.env.rewards["alive"].weight == 1.0
    assert changed.env.rewards["poles_upright"] == TASK.env.rewards["poles_upright"]


def test_a_list_replaces_a_tuple() -> None:
    changed, _ = apply_overrides(TASK, ["agent.actor.hidden_dims=[64, 32]", "env.sim.gravity=[0, 0, -1]"])
    assert changed.agent.actor.hidden_dims == (64, 32)
    assert changed.env.sim.gravity == (0.0, 0.0, -1.0)


def test_without_effect_is_kept() -> None:
    changed, overrides = apply_overrides(TASK, ["env.rewards.alive.weight=1"])
    assert changed == TASK
    assert [override.effective for override in overrides] == [False]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("env.reward.alive.weight=2", "unknown path; nearest: env.rewards.alive.weight"),
        ("env.rewards.alive.wieght=2", "unknown path; nearest: env.rewards.alive.weight"),
        ("env.rewards.new_term.weight=2", "unknown path"),
        ("env.sim.collision.x=1", "unknown path; nearest: env.sim.collision"),
        ("=1", "must be path=value"),
        ("train.num_envs", "must be path=value"),
        ("env.rewards=1", "env.rewards: holds several values (alive, "),
        ("env.rewards.alive={}", "env.rewards.alive: holds several values"),
        ("id=Other-v0", "id: says which task it is; only env, agent, train, start, stages, protocol, probe can change"),
        ("probe.num_envs=8", "probe.num_envs: unknown path; nearest: protocol.num_envs"),
        ("task_version=2", "task_version: says which task it is"),
        ("train.num_envs=0", "train.num_envs = 0: Input should be greater than 0"),
        ('train.num_envs="64"', "train.num_envs = '64': Input should be a valid integer"),
        ("train.num_envs=many", "train.num_envs = 'many': Input should be a valid integer"),
        ("train.num_envs=", "train.num_envs = '': Input should be a valid integer"),
        ("agent.gamma=NaN", "agent.gamma=NaN: must be a finite number"),
        ("env.sim.dt=1e999", "env.sim.dt=1e999: must be a finite number"),
        ("agent.learning_rate=1e200", "agent.learning_rate=1e200: a number must lie within ±1e+150"),
        ("env.sim.gravity=[0, 0, -1e151]", "env.sim.gravity=[0, 0, -1e151]: a number must lie within ±1e+150"),
        ('agent.learning_rate="\\ud800"', 'agent.learning_rate="\\ud800": must be text that UTF-8 can hold'),
        ('env.action.joints=["\\ud800"]', 'env.action.joints=["\\ud800"]: must be text that UTF-8 can hold'),
        ('env.action={"\\ud800": 1}', 'env.action={"\\ud800": 1}: must be text that UTF-8 can hold'),
        ("agent.entropy_coef=" + "[" * 100_000, "--set agent.entropy_coef: is nested too deeply"),
        ("agent.actor.activation=elo", "agent.actor.activation = 'elo': Input should be 'elu'"),
        ("env.terminations.pole_1_angle.params.limit=0,5", "limit = '0,5': must be a number"),
        (
            'env.action.joints=["wheel"]',
            "env.action.joints = ['wheel']: unknown joint 'wheel'; known: slider, hinge_1, hinge_2",
        ),
        ('env.robot.actuators.cart.joints=["wheel"]', "env.robot.actuators.cart.joints = ['wheel']: unknown joint"),
        (
            'env.robot.actuators.passive.joints=["hinge_1", "slider"]',
            "passive.joints = ['hinge_1', 'slider']: joint 'slider' stands in group 'cart' already",
        ),
        (
            'env.robot.actuators.passive.joints=["hinge_1"]',
            "env.robot.actuators = ['cart', 'passive']: no group holds joint 'hinge_2'",
        ),
        ("env.disturbances.push.interval_s=[6, 3]", "env.disturbances.push.interval_s = [6, 3]: "),
        ("agent.num_mini_batches=98305", "agent.num_mini_batches = 98305: must not be above the 98304 rows"),
    ],
)
def test_wrong_input_is_one_clear_line(assignment: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        apply_overrides(TASK, [assignment])
    assert message in str(caught.value)
    assert str(caught.value).startswith("--set ")
    assert "\n" not in str(caught.value)


def test_a_rollout_of_one_row_is_refused() -> None:
    one = ["train.num_envs=1", "agent.num_steps_per_env=1", "agent.num_mini_batches=1"]
    with pytest.raises(InputError, match="num_steps_per_env = 1: must give two rows of a rollout at least"):
        apply_overrides(get_task("GeneLab-Inverted-Pendulum-v1"), one)


def test_what_is_accepted_can_be_read_again() -> None:
    """The largest number that a snapshot may hold is the largest that --set takes."""
    changed, _ = apply_overrides(TASK, ["env.rewards.alive.weight=1e150"])
    assert parse_json(json.dumps(dump_task(changed)))["env"]["rewards"]["alive"]["weight"] == 1e150


def test_an_option_whose_value_no_snapshot_can_hold_is_named() -> None:
    """A name of a file that is no UTF-8, as an environment variable may hold it."""
    with pytest.raises(InputError) as caught:
        apply_overrides(TASK, [], {"MY_CLIP": ("agent.learning_rate", "\udcff.npz")})
    assert str(caught.value) == "MY_CLIP agent.learning_rate = '\\udcff.npz': must be text that UTF-8 can hold"


def test_a_path_given_twice_is_an_error() -> None:
    with pytest.raises(InputError, match=r"--set train.num_envs: given twice"):
        apply_overrides(TASK, ["train.num_envs=1", "agent.gamma=0.9", "train.num_envs=1"])


def test_setting_every_value_to_itself_changes_nothing() -> None:
    within = tuple(f"{part}." for part in PARTS)
    for task in all_tasks():
        # A choice that is not made has no value.
        open_ones = dict(choices(task))
        values = {leaf.path: leaf.value for leaf in leaves(task) if leaf.path.startswith(within) and leaf.value != {}}
        assignments = [f"{path}={json.dumps(value)}" for path, value in values.items() if path not in open_ones]
        changed, overrides = apply_overrides(task, assignments)
        assert changed == task
        assert len(overrides) == len(assignments) > 50
        assert not any(override.effective for override in overrides)


@pytest.mark.parametrize(
    "number", ["1e-310", "-1e-310", "1E-400", "0.001e-305", "12e-309", "[0.1, 1e-99999999999999999999]"]
)
def test_a_number_that_may_be_cut_to_0_is_refused(number: str) -> None:
    with pytest.raises(InputError, match=r"a number other than 0 must be at least 1e-307 in size"):
        apply_overrides(TASK, [f"env.rewards.alive.weight={number}"])


@pytest.mark.parametrize("number", ["1e-307", "-0.001e-304", "0.0", "0e-99999999999999999999", "-0.00", "123.5e-309"])
def test_a_number_that_is_0_or_large_enough_arrives(number: str) -> None:
    changed, _ = apply_overrides(TASK, [f"env.rewards.alive.weight={number}"])
    assert changed.env.rewards["alive"].weight == float(number)


@given(st.floats(min_value=-LARGEST_FLOAT, max_value=LARGEST_FLOAT, allow_subnormal=False))
def test_a_float_arrives_exactly(weight: float) -> None:
    assume(weight == 0.0 or abs(weight) >= 1e-307)
    changed, [override] = apply_overrides(TASK, [f"env.rewards.alive.weight={weight!r}"])
    assert changed.env.rewards["alive"].weight == weight
    assert override.new == weight


@settings(max_examples=40)
@given(st.sampled_from(sorted(VALUES)), json_values)
def test_any_value_is_refused_or_gives_a_valid_task_with_that_value(path: str, value) -> None:
    # What was null would become a model, with its defaults.
    assume(value != {})
    try:
        changed, [override] = apply_overrides(TASK, [f"{path}={json.dumps(value)}"])
    except InputError:
        return
    assert load_task(dump_task(changed), "test") == changed
    assert override.new == value
    assert {leaf.path for leaf in leaves(changed)} == {leaf.path for leaf in leaves(TASK)}


@given(st.text(max_size=30))
def test_any_text_is_refused_cleanly(text: str) -> None:
    with pytest.raises(InputError):
        apply_overrides(TASK, [text])


@settings(max_examples=30)
@given(st.sampled_from(sorted(VALUES)), st.integers(0, 100), st.characters(categories=["L"]))
def test_a_misspelt_path_is_refused_with_valid_paths(path: str, position: int, character: str) -> None:
    cut = position % len(path)
    misspelt = path[:cut] + character + path[cut:]
    with pytest.raises(InputError) as caught:
        apply_overrides(TASK, [f"{misspelt}=1"])
    _, _, nearest = str(caught.value).partition("; nearest: ")
    assert set(nearest.split(", ")) <= set(VALUES)


FRANKA = get_task("GeneLab-Franka-Pick-And-Place-v0")
VARIABLE = "GENELAB_SB3_DEMO_PATH"


@pytest.mark.parametrize("text", ["9007199254740993", "-9007199254740993", "[0.0, 9007199254740993]"])
def test_a_whole_number_that_no_float_holds_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must lie within"):
        apply_overrides(TASK, [f"agent.clip_param={text}"])


def test_a_variable_makes_a_choice() -> None:
    found = from_environment(FRANKA, [], {VARIABLE: "demos.safetensors"})
    assert found == {VARIABLE: ("agent.demo_path", "demos.safetensors")}


def test_what_a_task_chooses_holds_for_its_stages(tmp_path: Path) -> None:
    task = get_task("Genelab-Tracking-Flat-Unitree-G1-v0")
    early = StageCfg(env=task.env, agent=task.agent, train=task.train)
    staged = task.model_copy(update={"stages": {"early": early}})
    path = "env.parts.motion.params.clip"
    assert from_environment(staged, [], {"GENELAB_MOTION_FILE": "walk"}) == {"GENELAB_MOTION_FILE": (path, "walk")}
    walk, squat = tmp_path / "walk", tmp_path / "squat"
    for file in (walk, squat):
        file.write_text(file.name)

    def chosen(*assignments: str) -> dict[str, object]:
        return {where: choice.value for where, choice in choices(apply_overrides(staged, assignments)[0])}

    assert chosen(f"{path}={walk}") == {path: str(walk), f"stages.early.{path}": str(walk)}
    both = (f"{path}={walk}", f"stages.early.{path}={squat}")
    assert chosen(*both) == {path: str(walk), f"stages.early.{path}": str(squat)}
    assert chosen(f"{path}={walk}", "stages=[]") == {path: str(walk)}


def test_two_spellings_of_a_file_are_no_contradiction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demos.safetensors").write_bytes(b"steps")
    given = ["agent.demo_path=demos.safetensors"]
    assert from_environment(FRANKA, given, {VARIABLE: str(tmp_path / "demos.safetensors")}) == {}
    Path("other.npz").write_bytes(b"others")
    with pytest.raises(InputError, match=r"says 'other\.npz'; give one of them"):
        from_environment(FRANKA, given, {VARIABLE: "other.npz"})


def test_more_environments_than_the_warm_up_allows_are_refused_with_a_word_on_demonstrations() -> None:
    told = r"agent\.learning_starts = 6464: must be above the 12800 .*; the 128 of train\.num_envs must also be those"
    with pytest.raises(InputError, match=told):
        apply_overrides(FRANKA, ["train.num_envs=128"])


def test_a_variable_that_contradicts_set_is_refused() -> None:
    told = f"--set agent.demo_path = 'b.npz': {VARIABLE} says 'a.npz'; give one of them"
    with pytest.raises(InputError, match=re.escape(told)):
        from_environment(FRANKA, ["agent.demo_path=b.npz"], {VARIABLE: "a.npz"})


def test_a_variable_of_no_choice_is_not_read() -> None:
    assert from_environment(TASK, [], {VARIABLE: "demos.safetensors"}) == {}
