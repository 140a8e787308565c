import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import TASK, genelab, read

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]

UPSTREAM = Path(__file__).parents[2] / "reference" / "upstream"


def _ok(*args: str) -> str:
    done = genelab(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_real_sweep_checks_publishes_and_renders(sweep: Path, tmp_path: Path):
    assert "ok:" in _ok("check", str(sweep), "--weights")
    store, docs = tmp_path / "reference", tmp_path / "docs"
    shutil.copytree(UPSTREAM, store / "upstream")
    where = ("--store", str(store))
    # Trained in a temporary folder, whose name its log keeps; the published files must not.
    published = tmp_path / "published"
    shutil.copytree(sweep, published)
    for path in published.rglob("*.json"):
        path.write_text(path.read_text().replace(str(sweep), "runs/small"))
    _ok("reference", "add", str(published), "--entry", "small", *where)
    assert "ok:" in _ok("check", str(store), "--weights")
    _ok("render", *where, "--docs", str(docs))
    page = (docs / "reference-runs.md").read_text()
    record = read(sweep / "seed_2" / "eval.json")
    assert f"{record['metrics']['return_mean']:.3f}" in page
    assert f"{record['baselines']['idle']['metrics']['return_mean']:.3f}" in page
    # Another budget than the registered one is no reference.
    assert "preview" in page
    _ok("render", *where, "--docs", str(docs), "--check")
    (docs / "reference-runs.md").write_text(page.replace(f"{record['metrics']['return_mean']:.3f}", "39.999"))
    assert genelab("render", *where, "--docs", str(docs), "--check").returncode == 1


def test_a_tampered_number_is_found(sweep: Path, tmp_path: Path):
    copy = tmp_path / "runs"
    shutil.copytree(sweep, copy)
    path = copy / "seed_1" / "eval.json"
    value = read(path)["metrics"]["return_mean"]
    path.write_text(path.read_text().replace(f'"return_mean": {value}', '"return_mean": 39.9', 1))
    done = genelab("check", str(copy))
    assert done.returncode == 1
    assert "return_mean" in done.stdout


@pytest.mark.parametrize(("file_format", "suffix"), [("onnx", ".onnx"), ("torchscript", ".pt")])
def test_a_trained_policy_exports(sweep: Path, tmp_path: Path, file_format: str, suffix: str):
    out = tmp_path / f"policy{suffix}"
    _ok("export", TASK, str(sweep / "seed_1" / "model_final.pt"), "--format", file_format, "--out", str(out))
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, f"{out.name}.metadata.json"]
    contract = read(tmp_path / f"{out.name}.metadata.json")
    assert contract["parity"]["passed"]
    assert contract["parity"]["recorded_rows"] > 100
    if file_format == "onnx":
        script = (
            "import sys, numpy, onnxruntime\n"
            "policy = onnxruntime.InferenceSession(sys.argv[1])\n"
            "for rows in (1, 7): print(policy.run(None, {'obs': numpy.zeros((rows, 8), numpy.float32)})[0].shape)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, str(out)], capture_output=True, text=True, check=True)
        assert done.stdout == "(1, 1)\n(7, 1)\n"
