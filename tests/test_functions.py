import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from genelab import functions
from genelab.config.base import resolve_asset
from genelab.config.snapshot import dump_task, load_task
from genelab.config.terms import RewardTermCfg
from genelab.envs.terms import takes_goal
from genelab.errors import InputError
from genelab.functions import allow_functions_of, resolve_function
from genelab.mdp.term import bind, bind_function
from genelab.registry import get_task

TASK = get_task("GeneLab-Inverted-Pendulum-v1")
CODE = """
from pathlib import Path
from shutil import rmtree
Path(__file__).with_name("canary").touch()
def run(state, text): Path(__file__).with_name("canary").write_text(text)
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that leaves a canary when it is imported or run; returns where the canary would be."""
    (tmp_path / "stranger" / "inner").mkdir(parents=True)
    for folder in ("stranger", "stranger/inner"):
        (tmp_path / folder / "__init__.py").write_text(CODE)
    (tmp_path / "stranger" / "inner" / "robot.xml").write_text("<mujoco/>")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(functions, "_allowed", set())
    yield tmp_path / "stranger" / "canary"
    for name in [name for name in sys.modules if name.partition(".")[0] == "stranger"]:
        del sys.modules[name]


@pytest.mark.parametrize("ref", ["stranger:run", "stranger.inner:run", "stranger.none:run"])
def test_a_snapshot_runs_no_code_of_a_package_that_is_no_task_package(stranger: Path, ref: str) -> None:
    cfg = RewardTermCfg(func=ref, weight=1.0, params={"text": "it ran"})
    env = TASK.env.model_copy(update={"rewards": {"alive": cfg}})
    task = load_task(dump_task(TASK.model_copy(update={"env": env})), "a stranger's snapshot")
    for use in (
        lambda: bind("env.rewards.alive", task.env.rewards["alive"], task.env)(None),
        lambda: bind_function("env.goal", ref, {"text": "it ran"}, task.env)(None),
        lambda: takes_goal(ref),
        lambda: resolve_function(ref),
    ):
        with pytest.raises(InputError, match=rf"^function reference '{ref}': module '.*' must lie in genelab\.mdp or "):
            use()
    assert "stranger" not in sys.modules
    assert not list(stranger.parent.rglob("canary"))


def test_a_reference_to_a_command_of_the_standard_library_is_refused(tmp_path: Path) -> None:
    cfg = RewardTermCfg(func="pydoc:pipepager", weight=1.0, params={"cmd": f"touch {tmp_path}/canary"})
    with pytest.raises(InputError, match="module 'pydoc' must lie in"):
        bind("env.rewards.alive", cfg, TASK.env)("text")
    assert not list(tmp_path.iterdir())


def test_what_the_program_allows_is_run(stranger: Path) -> None:
    """The canary is one: the same reference writes it once it may."""
    allow_functions_of("stranger")
    resolve_function("stranger:run")(None, "it ran")
    assert stranger.read_text() == "it ran"
    with pytest.raises(InputError, match="module 'strangers' must lie in"):
        resolve_function("strangers:run")


def test_what_an_allowed_module_imported_from_elsewhere_is_no_function_of_its_own(stranger: Path) -> None:
    allow_functions_of("stranger")
    with pytest.raises(InputError, match="'rmtree' of module 'shutil' must lie in"):
        resolve_function("stranger:rmtree")


def test_the_package_of_an_entry_point_is_allowed(stranger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("x", "stranger.tasks:register", "genelab.tasks")]
    monkeypatch.setattr(functions, "entry_points", lambda **_: found)
    functions._of_entry_points.cache_clear()  # pyright: ignore[reportPrivateUsage]
    try:
        assert resolve_function("stranger.inner:run").__name__ == "run"
    finally:
        functions._of_entry_points.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_a_missing_function_or_module_is_one_line() -> None:
    with pytest.raises(InputError, match=r"module 'genelab\.mdp\.rewards' has no function 'nothing'"):
        resolve_function("genelab.mdp.rewards:nothing")
    with pytest.raises(InputError, match=r"cannot import module 'genelab\.mdp\.nothing'"):
        resolve_function("genelab.mdp.nothing:x")


def test_the_file_of_a_package_is_found_without_running_the_package(stranger: Path) -> None:
    assert resolve_asset("stranger.inner:robot.xml").read_text() == "<mujoco/>"
    assert resolve_asset("stranger:inner/robot.xml").is_file()
    assert "stranger" not in sys.modules
    assert not list(stranger.parent.rglob("canary"))


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("stranger:nothing", "package 'stranger' holds no file 'nothing'"),
        ("stranger.none:robot.xml", "package 'stranger.none' holds no file 'robot.xml'"),
        ("nobody:x", "there is no package 'nobody'"),
        ("sys:x", "there is no package 'sys'"),
        (":x", "there is no package ''"),
        ("..:x", "there is no package ''"),
    ],
)
@pytest.mark.usefixtures("stranger")
def test_a_missing_file_of_a_package_is_one_line(ref: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_asset(ref)
    assert str(caught.value) == f"asset reference '{ref}': {told}"
