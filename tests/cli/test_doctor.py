import json

import pytest

from genelab import __version__
from genelab.records.stamps import HardwareStamp

pytestmark = pytest.mark.slow


def test_doctor_tells_what_a_record_would(genelab, tmp_path) -> None:
    result = genelab("doctor", "--json", cwd=tmp_path)
    told = json.loads(result.stdout)
    assert told["packages"]["genelab"] == __version__
    assert HardwareStamp.model_validate(told["hardware"]).cpu.usable_cores >= 1
    assert told["backend"]["torch"]["deterministic"] is True
    assert told["folders"]["current folder"]["path"] == str(tmp_path)
    assert not told["folders"]["store"]["exists"]
    assert (result.returncode, told["problems"] != []) in ((0, False), (1, True))


def test_doctor_names_what_is_wrong(genelab, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    monkeypatch.delenv("HOME")
    result = genelab("doctor", cwd=tmp_path)
    assert result.returncode == 1
    problems = [line for line in result.stdout.splitlines() if line.startswith("problem: ")]
    assert any(line.startswith("problem: HOME is not set") for line in problems)
    assert any("films cannot be drawn with MUJOCO_GL=nonsense" in line for line in problems)
    assert result.stderr == f"error: {len(problems)} problems\n"
