import json
from pathlib import Path

import pytest

from genelab import registry
from genelab.config.snapshot import config_sha256
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.registry import (
    all_tasks,
    broken_entry_points,
    get_task,
    register_task,
    registered_tasks,
    task_ids,
    variants_of,
)

TASK = get_task("GeneLab-Inverted-Pendulum-v1")
TASKS = [
    "GeneLab-Double-Inverted-Pendulum-v0",
    "GeneLab-Double-Inverted-Pendulum-v1",
    "GeneLab-Franka-Pick-And-Place-v0",
    "GeneLab-Inverted-Pendulum-v0",
    "GeneLab-Inverted-Pendulum-v1",
    "Genelab-Tracking-Flat-Unitree-G1-v0",
    "Genelab-Velocity-Flat-Unitree-G1-v0",
    "Genelab-Velocity-Flat-Unitree-Go1-v0",
    "Genelab-Velocity-Flat-Unitree-Go2W-v0",
    "Genelab-Velocity-Rough-Unitree-G1-v0",
    "Genelab-Velocity-Rough-Unitree-Go1-v0",
]


def test_own_tasks_are_found() -> None:
    assert [task.id for task in registered_tasks() if task.group is None] == TASKS
    assert [task.id for task in all_tasks()] == task_ids()
    assert broken_entry_points() == ()


def register(task: TaskSpec, *variants: TaskSpec) -> None:
    """Register tasks that are built already."""
    by_name = {str(variant.variant): (lambda variant=variant: variant) for variant in variants}
    register_task(task.id, lambda: task, robot="Cart", summary=task.summary, variants=by_name)


def test_duplicate_id_is_an_error() -> None:
    rule = r"task 'GeneLab-Inverted-Pendulum-v1' is registered already, by distribution 'genelab'"
    with pytest.raises(InputError, match=rule):
        register(get_task("GeneLab-Inverted-Pendulum-v1"))


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    task_ids()
    monkeypatch.setattr(registry, "_tasks", {})


@pytest.mark.usefixtures("empty")
def test_a_variant_has_a_learner_and_a_budget_of_its_own() -> None:
    task = TASK.model_copy(update={"id": "Test-v0"})
    few = {
        "train": task.train.model_copy(update={"num_envs": 2, "iterations": 3}),
    }
    short = task.model_copy(update={"variant": "short", **few})
    register(task, short)
    assert variants_of("Test-v0") == ["short"]
    assert get_task("Test-v0").train.iterations == task.train.iterations
    assert get_task("Test-v0", "short").train.iterations == 3
    assert get_task("Test-v0", "short").train.num_envs == 2
    assert config_sha256(get_task("Test-v0", "short")) != config_sha256(get_task("Test-v0"))
    with pytest.raises(InputError, match=r"task 'Test-v0' has no variant 'long'; it has: short"):
        get_task("Test-v0", "long")


@pytest.mark.usefixtures("empty")
def test_a_variant_of_another_environment_is_refused() -> None:
    task = TASK.model_copy(update={"id": "Test-v0"})
    other = task.model_copy(update={"variant": "other", "env": task.env.model_copy(update={"decimation": 1})})
    rule = "variant = 'other': may differ .* in agent, train, start, stages and env.sim.engine alone"
    register(task, other)
    with pytest.raises(InputError, match=rule):
        get_task("Test-v0", "other")


@pytest.mark.usefixtures("empty")
def test_a_task_is_what_it_was_registered_as() -> None:
    task = TASK.model_copy(update={"id": "Test-v0"})
    register_task("Other-v0", lambda: task, robot="Cart", summary=task.summary)
    register_task("Test-v0", lambda: task, robot="Cart", summary="Something else.")
    with pytest.raises(InputError, match=r"task 'Other-v0': this program returns task 'Test-v0'"):
        get_task("Other-v0")
    with pytest.raises(InputError, match=r"task 'Test-v0': summary = 'Balance .*': must be left to register_task"):
        get_task("Test-v0")


@pytest.mark.usefixtures("empty")
def test_a_task_that_cannot_be_built_is_one_line() -> None:
    register_task("Test-v0", "a_module_that_nobody_has:task", robot="Cart", summary="Nothing.")
    rule = r"^task 'Test-v0' of this program cannot be built: ModuleNotFoundError: No module named 'a_module_that_nobo"
    with pytest.raises(InputError, match=rule):
        get_task("Test-v0")


def test_letter_case_of_an_identifier_does_not_matter() -> None:
    assert get_task("genelab-inverted-pendulum-V1") == TASK


def test_registry_hands_out_copies() -> None:
    changed = get_task("GeneLab-Inverted-Pendulum-v1")
    changed.env.rewards.clear()
    assert get_task("GeneLab-Inverted-Pendulum-v1").env.rewards


def test_unknown_task_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown task 'GeneLab-Inverted-Pendulum-v2', nearest: GeneLab-Inverted"):
        get_task("GeneLab-Inverted-Pendulum-v2")


def test_unknown_task_without_a_near_one() -> None:
    with pytest.raises(InputError, match="`genelab list`"):
        get_task("qqqqqq")


@pytest.mark.slow
def test_installed_package_adds_its_task(genelab, install) -> None:
    path = install("example_package")
    listed = genelab("list", "--json", path=path)
    assert listed.returncode == 0, listed.stderr
    assert [row["id"] for row in json.loads(listed.stdout)] == sorted(["Example-Pole-v0", *task_ids()])
    shown = genelab("info", "Example-Pole-v0", "--json", path=path)
    assert shown.returncode == 0, shown.stderr
    fields = {field["path"]: field["value"] for field in json.loads(shown.stdout)["fields"]}
    assert fields["env.robot.model"] == "example_pole:pole.xml"


@pytest.fixture(scope="module")
def broken(install) -> Path:
    return install("broken_package")


@pytest.mark.slow
def test_list_shows_the_healthy_tasks_and_names_the_broken_entry_points(genelab, broken) -> None:
    result = genelab("list", path=broken)
    assert result.returncode == 2
    assert [line.split()[0] for line in result.stdout.splitlines()[1:] if line.startswith("Gene")] == TASKS
    start = "error: entry point '{}' of distribution 'genelab-broken': {}"
    assert result.stderr.splitlines() == [
        start.format("cannot-import", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        start.format("half-way", "RuntimeError: the second task needs a file that is gone"),
        start.format("invalid", "TrainCfg: iterations = 0: Input should be greater than 0"),
        start.format(
            "twice",
            "InputError: task 'GeneLab-Inverted-Pendulum-v1' is registered already, by distribution 'genelab'",
        ),
    ]


def plugin(folder: Path, name: str, code: str) -> Path:
    """Make a distribution with one entry point, in a folder for the search path."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[genelab.tasks]\nx = {name}:register\n")
    (folder / f"{name}.py").write_text(f"from genelab.registry import register_task\ndef register():\n    {code}\n")
    return folder


def test_a_plugin_cannot_take_over_a_task_of_genelab(genelab, tmp_path: Path) -> None:
    # By its name it would come first.
    code = "register_task('GeneLab-Inverted-Pendulum-v1', 'aaa:task', robot='Mine', summary='Mine.')"
    result = genelab("list", path=plugin(tmp_path, "aaa", code))
    assert result.returncode == 2
    assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith("Gene")] == TASKS
    assert "Mine" not in result.stdout
    assert result.stderr == (
        "error: entry point 'x' of distribution 'aaa': InputError: task 'GeneLab-Inverted-Pendulum-v1' is registered "
        "already, by distribution 'genelab'\n"
    )


@pytest.mark.slow
def test_what_a_plugin_prints_is_not_in_the_answer(genelab, tmp_path: Path) -> None:
    result = genelab("list", "--json", path=plugin(tmp_path, "chatty", "print('hello')"))
    assert result.returncode == 0
    assert [row["id"] for row in json.loads(result.stdout)] == task_ids()
    assert result.stderr == "hello\n"


def test_healthy_task_warns_and_goes_on(genelab, broken) -> None:
    result = genelab("info", "GeneLab-Inverted-Pendulum-v1", path=broken)
    assert result.returncode == 0
    assert len(result.stderr.splitlines()) == 4
    assert all(line.startswith("warning: entry point ") for line in result.stderr.splitlines())


def test_unknown_task_names_the_broken_entry_points(genelab, broken) -> None:
    result = genelab("info", "Half-Way-v0", path=broken)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "entry point 'half-way' of distribution 'genelab-broken'" in result.stderr
