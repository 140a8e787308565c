"""Which policy a name means, and what a command may not write over."""

import os
import shutil
from pathlib import Path

import pytest

from genelab.cli import run
from genelab.errors import InputError
from genelab.publish.store import add_entry
from genelab.runs.files import require_place
from genelab.runs.find import find_export, find_guard, find_policy, is_published
from tests.records.factory import make_sweep, make_task


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of three seeds, and a store with two entries of it and one of another task."""
    folder = tmp_path_factory.mktemp("made")
    sweep = make_sweep(folder / "sweep")
    other = make_sweep(folder / "other", task=make_task("Other-Toy-v1"), seeds=(5,))
    for entry in ("old", "new"):
        add_entry(sweep, entry, folder / "reference")
    add_entry(other, "first", folder / "reference")
    return folder


def found(name: str | Path, made: Path) -> str:
    """The checkpoint of a name, relative to what was made."""
    policy = find_policy(name, made / "reference")
    assert policy.checkpoint.parent == policy.run_dir.path
    return str(policy.checkpoint.relative_to(made))


@pytest.mark.parametrize(
    ("name", "checkpoint"),
    [
        ("sweep/seed_2/model_final.pt", "sweep/seed_2/model_final.pt"),
        ("sweep/seed_2", "sweep/seed_2/model_final.pt"),
        ("sweep/seed_2/", "sweep/seed_2/model_final.pt"),
        ("other", "other/seed_5/model_final.pt"),
        ("reference/Toy-v1/old/seed_3", "reference/Toy-v1/old/seed_3/model_final.pt"),
    ],
)
def test_paths(name: str, checkpoint: str, made: Path) -> None:
    assert found(f"{made}/{name}", made) == checkpoint


@pytest.mark.parametrize(
    ("name", "checkpoint"),
    [
        ("Toy-v1/old/seed_3", "Toy-v1/old/seed_3"),
        ("toy-V1/old/seed_3", "Toy-v1/old/seed_3"),
        ("old/seed_1", "Toy-v1/old/seed_1"),
        ("first", "Other-Toy-v1/first/seed_5"),
        ("Other-Toy-v1/first", "Other-Toy-v1/first/seed_5"),
        ("Toy-v1/seed_2", "Toy-v1/new/seed_2"),
        ("Toy-v1", "Toy-v1/new/seed_1"),
    ],
)
def test_published_names(name: str, checkpoint: str, made: Path) -> None:
    assert found(name, made) == f"reference/{checkpoint}/model_final.pt"
    assert is_published(name, made / "reference")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("{}/sweep", "holds several seeds: name one of {}/sweep/seed_1, {}/sweep/seed_2, {}/sweep/seed_3"),
        ("Toy-v1/old", "holds several seeds: name one of {}/reference/Toy-v1/old/seed_1, "),
        ("{}/reference", "'{}/reference' holds no run"),
        ("old/seed_9", "'{}/reference/Toy-v1/old' has no seed_9; it has seed_1, seed_2, seed_3"),
        ("missing.pt", "checkpoint 'missing.pt' does not exist: no file, no run directory and no entry in"),
        ("Toy-v1/missing", "does not exist"),
        ("a/b/c/d", "does not exist"),
        ("{}/sweep/sweep.json", "has no run.json beside it"),
    ],
)
def test_what_is_no_policy_is_told_in_one_line(name: str, told: str, made: Path) -> None:
    with pytest.raises(InputError) as error:
        find_policy(name.replace("{}", str(made)), made / "reference")
    assert told.replace("{}", str(made)) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_of_two_entries_is_refused(made: Path, tmp_path: Path) -> None:
    store = tmp_path / "reference"
    shutil.copytree(made / "reference", store)
    (store / "Other-Toy-v1" / "first").rename(store / "Other-Toy-v1" / "old")
    with pytest.raises(InputError, match=r"'old' names several entries: .*/Other-Toy-v1/old, .*/Toy-v1/old"):
        find_policy("old", store)


def test_a_seed_without_its_last_checkpoint(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "sweep" / "seed_1", tmp_path / "seed_1")
    (tmp_path / "seed_1" / "model_final.pt").unlink()
    with pytest.raises(InputError, match=r"seed_1' has no model_final\.pt: finished; name one of its checkpoints"):
        find_policy(tmp_path / "seed_1")


def test_links_are_followed_to_their_run(made: Path, tmp_path: Path) -> None:
    run_dir = made / "sweep" / "seed_1"
    (tmp_path / "latest.pt").symlink_to(run_dir / "model_final.pt")
    (tmp_path / "again.pt").symlink_to("latest.pt")
    (tmp_path / "latest").symlink_to(run_dir)
    assert found(tmp_path / "latest.pt", made) == "sweep/seed_1/model_final.pt"
    assert found(tmp_path / "again.pt", made) == "sweep/seed_1/model_final.pt"
    assert find_policy(tmp_path / "latest").checkpoint == tmp_path / "latest" / "model_final.pt"


def test_a_run_made_of_links_is_the_run(made: Path, tmp_path: Path) -> None:
    """As git-annex, DVC and the Hub lay out what they hold: each file is a link to where its content is."""
    link_up(made / "sweep" / "seed_1", tmp_path / "snapshot" / "seed_1", tmp_path / "blobs")
    policy = find_policy(tmp_path / "snapshot")
    assert policy.checkpoint == tmp_path / "snapshot" / "seed_1" / "model_final.pt"
    assert policy.run_dir.load().seed == 1
    assert policy.run_dir.task().id == "Toy-v1"


def link_up(source: Path, target: Path, blobs: Path) -> None:
    """Copy a directory so that every file is a link to a file elsewhere."""
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(p for p in source.rglob("*") if p.is_file())):
        link = target / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blobs / str(number))
        link.symlink_to(os.path.relpath(blobs / str(number), link.parent))


def test_the_export_of_a_run_and_a_policy_file(made: Path, tmp_path: Path) -> None:
    store = made / "reference"
    assert find_export("first", store) == store / "Other-Toy-v1" / "first" / "seed_5" / "policy.onnx"
    assert find_export(made / "sweep" / "seed_1") == made / "sweep" / "seed_1" / "policy.onnx"
    assert find_export("policy.pt", store) == Path("policy.pt")
    shutil.copytree(made / "sweep" / "seed_1", tmp_path / "seed_1")
    (tmp_path / "seed_1" / "policy.onnx").unlink()
    with pytest.raises(InputError, match=r"seed_1' has no policy\.onnx; write one elsewhere with"):
        find_export(tmp_path)


def test_the_guard_of_a_seed(tmp_path: Path) -> None:
    for iteration in (3, 12):
        (tmp_path / "guard" / str(iteration)).mkdir(parents=True)
    (tmp_path / "guard" / "3" / "fault.json").write_text("{}")
    assert find_guard(tmp_path) == tmp_path / "guard" / "3"
    assert find_guard(tmp_path / "guard" / "3") == tmp_path / "guard" / "3"
    (tmp_path / "guard" / "12" / "fault.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds 2 faults: name one of .*/guard/12, .*/guard/3"):
        find_guard(tmp_path)


def test_a_task_that_contradicts_the_run_is_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In any letter case, and for every command that takes both."""
    task, seed = "genelab-inverted-PENDULUM-v1", str(made / "sweep" / "seed_1")
    out = ["--out", str(made / "out.mp4")]
    for words in (["eval"], ["probe"], ["video", *out], ["export", "--format", "onnx"], ["sim2sim"]):
        name = seed if words[0] != "sim2sim" else f"{seed}/policy.onnx"
        assert run([*words, task, name]) == 2
        told = capsys.readouterr()
        assert "was trained on 'Toy-v1', not on 'GeneLab-Inverted-Pendulum-v1'" in told.err
        assert told.out == ""


@pytest.mark.parametrize("name", ["run.json", "model_final.pt", "new.json", "params/more.json"])
@pytest.mark.parametrize("place", ["sweep/seed_1", "reference/Toy-v1/old", "reference/Toy-v1/old/seed_1"])
def test_nothing_is_written_into_a_run_or_an_entry(place: str, name: str, made: Path) -> None:
    (made / place / "params").mkdir(exist_ok=True)
    kind = "an entry" if place.endswith("old") else "a run"
    with pytest.raises(
        InputError, match=f"^--out .*{name}: lies in the directory of {kind}, '.*'; choose another place"
    ):
        require_place("--out", made / place / name)


def test_nor_through_links(made: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(made / "sweep" / "seed_1")
    with pytest.raises(InputError, match="lies in the directory of a run"):
        require_place("--out", tmp_path / "elsewhere" / "eval.json")
    link_up(made / "sweep" / "seed_1", tmp_path / "snapshot", tmp_path / "blobs")
    with pytest.raises(InputError, match="lies in the directory of a run"):
        require_place("--out", tmp_path / "snapshot" / "run.json")


def test_an_input_is_no_output(tmp_path: Path) -> None:
    policy = tmp_path / "policy.onnx"
    policy.write_text("policy")
    (tmp_path / "link.json").hardlink_to(policy)
    with pytest.raises(InputError, match=r"link\.json: is an input of this command"):
        require_place("--out", tmp_path / "link.json", ".json", inputs=[policy, tmp_path / "none"])
    require_place("--out", tmp_path / "other.json", ".json", inputs=[policy])


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "--out", "record.txt"],
        ["probe", "--out", "record.svg"],
        ["probe", "--plot", "picture.png"],
        ["video", "--out", "film.avi"],
        ["export", "--format", "onnx", "--out", "policy.pt"],
        ["export", "--format", "torchscript", "--out", "policy.onnx"],
    ],
)
def test_a_suffix_of_another_format_is_refused(
    words: list[str], made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, f"{made}/sweep/seed_1/model_final.pt"]) == 2
    assert f"{words[-2]} {words[-1]}: must end in ." in capsys.readouterr().err
