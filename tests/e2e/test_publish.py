import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import genelab, read

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]

UPSTREAM = Path(__file__).parents[2] / "reference" / "upstream"


def _ok(*args: str) -> str:
    done = genelab(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_real_sweep_checks_publishes_and_renders(genesis_sweep: Path, tmp_path: Path):
    assert "ok:" in _ok("check", str(genesis_sweep), "--weights")
    store, docs = tmp_path / "reference", tmp_path / "docs"
    shutil.copytree(UPSTREAM, store / "upstream")
    where = ("--store", str(store))
    # Trained in a temporary folder, whose name its log keeps; the published files must not.
    published = tmp_path / "published"
    shutil.copytree(genesis_sweep, published)
    for path in published.rglob("*.json"):
        path.write_text(path.read_text().replace(str(genesis_sweep), "runs/small"))
    _ok("reference", "add", str(published), "--entry", "small", *where)
    assert "ok:" in _ok("check", str(store), "--weights")
    _ok("render", *where, "--docs", str(docs))
    page = (docs / "reference-runs.md").read_text()
    record = read(genesis_sweep / "seed_1" / "eval.json")
    assert f"{record['metrics']['return_mean']:.3f}" in page
    assert f"{record['baselines']['idle']['metrics']['return_mean']:.3f}" in page
    # Another budget than the registered one is no reference.
    assert "preview" in page
    _ok("render", *where, "--docs", str(docs), "--check")
    (docs / "reference-runs.md").write_text(page.replace(f"{record['metrics']['return_mean']:.3f}", "39.999"))
    assert genelab("render", *where, "--docs", str(docs), "--check").returncode == 1
