import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from genelab import registry
from genelab.config.base import Choice
from genelab.config.choices import choices, require_made, with_choices_of
from genelab.config.fields import leaves
from genelab.config.overrides import Override, apply_overrides
from genelab.config.snapshot import config_sha256, dump_task, load_task
from genelab.errors import InputError
from genelab.registry import get_task, register_task
from tests.config.choosy import CLIP, SPEED, made, task_with_choices


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "walk.npz"
    path.write_text("steps")
    return path


def test_a_choice_left_out_is_an_error_that_names_path_and_meaning(clip: Path) -> None:
    with pytest.raises(InputError) as caught:
        require_made(task_with_choices())
    message = f"give --set {CLIP}=FILE (motion clip); --set {SPEED}=NUMBER (speed, m/s)"
    assert str(caught.value) == f"task 'Choosy-v0' leaves to you what has no default; {message}"
    half, _ = apply_overrides(task_with_choices(), [f"{CLIP}={clip}"])
    with pytest.raises(InputError, match=rf"give --set {SPEED}=NUMBER \(speed, m/s\)$"):
        require_made(half)
    require_made(made(clip))


def test_a_chosen_file_is_kept_with_its_digest(clip: Path) -> None:
    task, overrides = apply_overrides(task_with_choices(), [f"{SPEED}=2", f"{CLIP}={clip}"])
    assert overrides == [Override(path=SPEED, old=None, new=2), Override(path=CLIP, old=None, new=str(clip))]
    chosen = dict(choices(task))[CLIP]
    assert (chosen.value, chosen.sha256) == (str(clip), hashlib.sha256(b"steps").hexdigest())
    assert chosen.resolve() == clip
    assert load_task(json.loads(json.dumps(dump_task(task))), "test") == task


def test_the_hash_of_the_config_depends_on_the_content_of_the_file(clip: Path) -> None:
    first = config_sha256(made(clip))
    assert config_sha256(made(clip)) == first
    clip.write_text("other steps")
    assert config_sha256(made(clip)) != first


def test_a_file_that_was_changed_or_removed_is_not_used(clip: Path) -> None:
    chosen = dict(choices(made(clip)))[CLIP]
    clip.write_text("other steps")
    with pytest.raises(InputError, match="was changed since it was chosen: "):
        chosen.resolve()
    clip.unlink()
    with pytest.raises(InputError, match=r"walk\.npz': cannot read this file \(motion clip\): No such file"):
        chosen.resolve()


def test_a_file_of_a_package_has_a_name_on_every_machine() -> None:
    task, _ = apply_overrides(task_with_choices(), [f"{CLIP}=genelab:__init__.py"])
    path = dict(choices(task))[CLIP].resolve()
    assert isinstance(path, Path)
    assert path.is_file()


def test_a_path_may_hold_a_colon(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing file wins over a package, and what cannot be a package is a path."""
    monkeypatch.chdir(clip.parent)
    folder = clip.parent / "12:30"
    folder.mkdir()
    for name in ("12:30/walk.npz", "genelab:__init__.py"):
        clip.parent.joinpath(name).write_text("steps")
        task, _ = apply_overrides(task_with_choices(), [f"{CLIP}={name}"])
        assert dict(choices(task))[CLIP].resolve() == Path(name)
    with pytest.raises(InputError, match=r"= '12:30/gone.npz': cannot read this file"):
        apply_overrides(task_with_choices(), [f"{CLIP}=12:30/gone.npz"])


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (f"{CLIP}=nowhere.npz", f"{CLIP} = 'nowhere.npz': cannot read this file (motion clip): No such file"),
        (f"{CLIP}=.", f"{CLIP} = '.': cannot read this file (motion clip): Is a directory"),
        (f"{CLIP}=genelab:nothing", "package 'genelab' holds no file 'nothing'"),
        (f"{CLIP}=3", f"{CLIP} = 3: must be a file"),
        (f"{CLIP}=", f"{CLIP} = '': must be a file"),
        (f"{CLIP}=null", f"{CLIP} = None: must be a file"),
        (f"{SPEED}=fast", f"{SPEED} = 'fast': must be a number"),
        (f"{SPEED}=true", f"{SPEED} = True: must be a number"),
        (f"{CLIP}.value=x", f"{CLIP}.value: is a part of what you choose; set {CLIP}"),
        (f"{CLIP}.what=x", f"{CLIP}.what: is a part of what you choose; set {CLIP}"),
        ("env.rewards.track.params.klip=x", f"unknown path; nearest: {CLIP}"),
    ],
)
def test_a_wrong_choice_is_one_clear_line(assignment: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        apply_overrides(task_with_choices(), [assignment])
    assert str(caught.value).startswith("--set ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "file", "value": "walk.npz"},
        {"kind": "number", "value": 1.0, "sha256": "0" * 64},
        {"kind": "number", "value": "1"},
        {"kind": "string", "value": 1},
        {"kind": "file", "sha256": "0" * 64},
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="must be"):
        Choice.model_validate({"what": "x", **data})


def test_a_choice_is_one_setting_with_a_meaning() -> None:
    by_path = {leaf.path: leaf for leaf in leaves(task_with_choices())}
    assert not any(path.startswith(f"{CLIP}.") for path in by_path)
    leaf = by_path[CLIP]
    assert (leaf.value, leaf.required) == (None, True)
    assert leaf.meaning == "Has no default, must be chosen with --set (file): motion clip."


def test_a_registered_task_must_leave_its_choices_open(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, chosen = task_with_choices(), made(clip)
    monkeypatch.setattr(registry, "_tasks", {})
    register_task("Choosy-v0", lambda: chosen, robot="Cart", summary=chosen.summary)
    with pytest.raises(InputError, match=rf"'Choosy-v0': {CLIP} = .*: a choice has no default"):
        get_task("Choosy-v0")
    monkeypatch.setattr(registry, "_tasks", {})
    register_task("Choosy-v0", lambda: task, robot="Cart", summary=task.summary)
    assert get_task("Choosy-v0") == task


def test_the_registered_task_takes_the_choices_of_a_run(clip: Path) -> None:
    run, asked = made(clip), task_with_choices()
    assert with_choices_of(asked, run) == run
    other = Choice(what="another clip", kind="file")
    asked.env.rewards["track"].params["clip"] = other
    found = dict(choices(with_choices_of(asked, run)))
    assert (found[CLIP], found[SPEED].value) == (other, 2.0)
    plain = get_task("GeneLab-Inverted-Pendulum-v1")
    assert with_choices_of(plain, run) == plain
