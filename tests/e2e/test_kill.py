"""A few kills of the campaign, and that the campaign can fail."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_kills_while_training_saving_publishing_and_rendering_leave_no_trace():
    # A kill may come when its phase is over; most do not.
    small = ("--kills", "4", "--at-least", "2", "--seed", "1")
    command = [sys.executable, str(SCRIPTS / "kill_campaign.py"), *small]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=550)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violation(s)" in done.stdout
    landed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" landed")}
    assert landed & {"publishing", "rendering"}
    assert landed & {"training", "checkpoint"}


def test_the_campaign_sees_torn_missing_and_doubled_files(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import kill_checks

    copy = tmp_path / "runs"
    shutil.copytree(sweep, copy)
    run, reference = copy / "seed_1", sweep / "seed_1"
    assert kill_checks.torn(copy) == []
    assert kill_checks.leftovers(copy) == []
    assert list(kill_checks.unequal_runs(run, reference)) == []
    assert kill_checks.findings(copy) == []

    (run / "curve.jsonl").write_text((run / "curve.jsonl").read_text() + (run / "curve.jsonl").read_text())
    (run / "model_1.pt").write_bytes((run / "model_1.pt").read_bytes()[:-100])
    (run / ".run.json.1.tmp").write_text("{")
    (copy / "sweep.json").write_text((copy / "sweep.json").read_text()[:-20])
    torn = [text.partition(":")[0] for text in kill_checks.torn(copy)]
    assert torn == ["seed_1/curve.jsonl", "seed_1/model_1.pt", "sweep.json"]
    assert kill_checks.leftovers(copy) == ["seed_1/.run.json.1.tmp: left behind"]
    assert {"the learning curve differs", "model_1.pt differs"} <= set(kill_checks.unequal_runs(run, reference))
    record = json.loads((run / "run.json").read_text())
    record["checkpoint"]["weights_sha256"] = "0" * 64
    record["timing"]["env_steps"] += 1
    (run / "run.json").write_text(json.dumps(record))
    found = list(kill_checks.unequal_runs(run, reference))
    assert "checkpoint.weights_sha256 differs" in found
    assert any(text.startswith("timing.env_steps") for text in found)
    assert kill_checks.findings(copy) != []
