import json
from pathlib import Path

import pytest

from genelab.cli import run
from genelab.config.overrides import apply_overrides
from genelab.publish.store import add_entry
from tests.records.factory import make_sweep, make_task

TASK = "GeneLab-Inverted-Pendulum-v1"
Capture = pytest.CaptureFixture[str]


def test_equal_is_exit_code_0(capsys: Capture) -> None:
    assert run(["diff", TASK, TASK]) == 0
    assert capsys.readouterr().out == "equal\n"


def test_a_run_a_sweep_and_an_entry(tmp_path: Path, capsys: Capture) -> None:
    task, _ = apply_overrides(make_task(), ["agent.gamma=0.9", "train.iterations=31"])
    old, new = make_sweep(tmp_path / "a"), make_sweep(tmp_path / "b", task=task)
    add_entry(old, "old", tmp_path / "reference")
    for a in (old, old / "seed_2", tmp_path / "reference" / "Toy-v1" / "old"):
        assert run(["diff", str(a), str(new)]) == 1
        assert capsys.readouterr().out == "agent.gamma: 0.99 -> 0.9\ntrain.iterations: 30 -> 31\n"
    assert run(["diff", "Toy-v1/old", str(old), "--store", str(tmp_path / "reference")]) == 0


def test_json(tmp_path: Path, capsys: Capture) -> None:
    task, _ = apply_overrides(make_task(), ["agent.gamma=0.9"])
    words = ["diff", str(make_sweep(tmp_path / "a")), str(make_sweep(tmp_path / "b", task=task)), "--json"]
    assert run(words) == 1
    assert json.loads(capsys.readouterr().out) == [{"path": "agent.gamma", "a": 0.99, "b": 0.9}]


def test_a_variant(capsys: Capture) -> None:
    task = "Genelab-Tracking-Flat-Unitree-G1-v0"
    from genelab.registry import variants_of

    variant = variants_of(task)[0]
    assert run(["diff", task, f"{task}:{variant}"]) == 1
    assert f'variant: null -> "{variant}"' in capsys.readouterr().out


def test_of_a_chosen_file_the_content_counts(tmp_path: Path) -> None:
    from genelab.compare.compare import config_differences
    from genelab.registry import get_task

    task = get_task("GeneLab-Franka-Pick-And-Place-v0")
    for name in "ab":
        (tmp_path / name).write_text("demonstrations")
    (tmp_path / "c").write_text("others")
    a, b, c = (apply_overrides(task, [f"agent.demo_path={tmp_path / name}"])[0] for name in "abc")
    assert config_differences(a, b) == []
    assert [d.path.rpartition(".")[2] for d in config_differences(a, c)] == ["value", "sha256"]


@pytest.mark.parametrize(
    ("a", "told"),
    [
        ("GeneLab-Inverted-Pendulun-v1", f"nearest: {TASK}"),
        (f"{TASK}:none", "has no variant 'none'"),
        ("eval.json", "is a file: name the directory"),
    ],
)
def test_wrong_input(a: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    Path("eval.json").write_text("{}")
    assert run(["diff", a, TASK]) == 2
    assert told in capsys.readouterr().err


def test_a_snapshot_that_was_changed_is_refused(tmp_path: Path, capsys: Capture) -> None:
    sweep = make_sweep(tmp_path / "a")
    agent = sweep / "seed_1" / "params" / "agent.json"
    agent.write_text(agent.read_text().replace('"gamma": 0.99', '"gamma": 0.9'))
    assert run(["diff", str(sweep), TASK]) == 2
    assert "was changed after the launch" in capsys.readouterr().err
