import io
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from genelab import progress
from genelab.progress import clock, counted, counting, phase, shown

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


def lines(error: str) -> list[str]:
    """What was said, without the times; each line has one."""
    assert all(re.match(STAMP, line) for line in error.splitlines())
    return [re.sub(STAMP, "", line) for line in error.splitlines()]


def test_a_pipe_gets_a_line_for_each_phase_and_tenth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
    with shown():
        phase("building 4 environments")
        list(counted(range(40), "rows", 40))
    found = lines(capsys.readouterr().err)
    assert found[0] == "building 4 environments"
    assert [line.split(",")[0] for line in found[1:]] == ["rows 1/40", *(f"rows {n}/40" for n in range(4, 41, 4))]
    assert all(line.endswith("left") for line in found[2:-1])


def test_a_fast_count_tells_its_beginning_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    with shown():
        list(counted(range(40), "rows", 40))
    assert lines(capsys.readouterr().err) == ["rows 1/40", "rows 40/40"]


def test_the_time_left_leaves_what_came_before_the_first_report_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = iter((100.0, 110.0))
    with shown():
        report = counting("episodes", 100)
        monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
        monkeypatch.setattr(time, "monotonic", lambda: next(clocks, 110.0))
        report(0, 0.1)
        report(5, 0.3)
        monkeypatch.undo()
    # A fifth in 10 s, and seven tenths to go.
    assert lines(capsys.readouterr().err)[-1] == "episodes 5/100, 0:35 left"


def test_nothing_is_shown_to_who_wants_quiet_or_uses_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("quiet"):
        assert progress.verbosity() == "quiet"
        phase("building")
        list(counted(range(3), "rows", 3))
    phase("building")
    list(counted(range(3), "rows", 3))
    assert capsys.readouterr() == ("", "")
    assert progress.verbosity() == "normal"


def test_what_libraries_print_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with shown("quiet"):
        sys.stdout.write("of Python\n")
        os.write(1, b"of C\n")
    sys.stdout.write("result\n")
    out, error = capfd.readouterr()
    assert (out, sorted(error.splitlines())) == ("result\n", ["of C", "of Python"])


def test_a_stderr_that_is_gone_ends_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    with shown():
        phase("building")


@pytest.mark.parametrize(("seconds", "told"), [(4.6, "0:05"), (754, "12:34"), (3723, "1:02:03"), (59.7, "1:00")])
def test_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told


SCRIPT = """
import time
from genelab.progress import phase, shown
with shown():
    phase("building")
    time.sleep(1.3)
    print("a library")
print("result")
"""


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_gets_one_line_with_running_seconds(term: str) -> None:
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": term, "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    shown_text = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown_text += part
    os.close(ours)
    assert process.wait() == 0
    text = shown_text.decode()
    assert text.endswith("result\r\n")
    if term == "dumb":
        assert "\x1b" not in text
        assert lines(text.replace("a library\r\nresult\r\n", "")) == ["building"]
    else:
        assert "importing  0:00" in text
        assert "building  0:01" in text
        assert re.search(r"[\r\nK]a library\r\n", text)
        assert not re.search(STAMP, text)
