import signal
import subprocess
import sys

import pytest

from genelab.worker.stop import REQUESTS

SCRIPT = """
import contextlib, os, signal
from genelab.worker.stop import StopFlag
stop = StopFlag()
with stop.deferred() if {deferred} else contextlib.nullcontext():
    for _ in range({times}):
        os.kill(os.getpid(), signal.{name})
    print("going on", stop.is_set, flush=True)
os.kill(os.getpid(), signal.{name})
print("the end", flush=True)
"""


def _run(name: str, *, deferred: bool, times: int = 2) -> tuple[int, str]:
    script = SCRIPT.format(name=name, deferred=deferred, times=times)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("number", REQUESTS)
def test_a_request_ends_the_process_unless_there_is_a_state_to_save(number: signal.Signals) -> None:
    assert _run(number.name, deferred=False) == (-number, "")
    # It is one request before and after the state is saved.
    assert _run(number.name, deferred=True) == (0, "going on True\nthe end\n")


def test_what_was_deferred_counts_again_afterwards() -> None:
    assert _run("SIGTERM", deferred=True, times=0) == (-signal.SIGTERM, "going on False\n")


def test_what_is_ignored_stays_so() -> None:
    script = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)" + SCRIPT
    done = subprocess.run(
        [sys.executable, "-c", script.format(name="SIGHUP", deferred=True, times=1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "going on False\nthe end\n"
