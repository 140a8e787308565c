"""What the fuzzing script does about a reader that hangs, or is not tried often enough."""

import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import fuzz_readers

    monkeypatch.setattr(fuzz_readers, "World", lambda _: None)
    monkeypatch.setattr(fuzz_readers, "HANG_S", 1)
    return fuzz_readers


def _run(script: Any, monkeypatch: pytest.MonkeyPatch, **readers: Any) -> int:
    tried = {name: SimpleNamespace(try_one=try_one) for name, try_one in readers.items()}
    monkeypatch.setattr(script, "readers", lambda _: tried)
    monkeypatch.setattr("sys.argv", ["fuzz_readers.py", "--examples", "4", "--derandomize"])
    return script.main()


def _good(draw: Any) -> str:
    return "refused"


def test_a_reader_that_hangs_is_named_and_the_others_are_tried(
    script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hangs(draw: Any) -> str:
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001 as a reader that takes everything for damage
            return "refused"
        return "accepted"

    before = signal.getsignal(signal.SIGALRM)
    assert _run(script, monkeypatch, slow=hangs, quick=_good) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "HangError: longer than 1 s for one file" in "".join(line for line in lines if line.startswith("slow"))
    assert any(line.startswith("quick") for line in lines)
    assert signal.getsignal(signal.SIGALRM) == before


def test_no_alarm_is_left_behind_by_a_reader_that_raises(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(draw: Any) -> str:
        raise AssertionError("accepted nonsense")

    assert _run(script, monkeypatch, bad=raises) == 1
    assert signal.alarm(0) == 0


def test_too_few_inputs_fail(script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # Hypothesis tries nothing twice: without a draw there is one input.
    assert _run(script, monkeypatch, lazy=_good) == 1
    assert "too few inputs: 1, must be at least 4" in capsys.readouterr().out
