import signal
import subprocess
import sys

SCRIPT = """
import contextlib, os, signal
from genelab.worker.stop import StopFlag
stop = StopFlag()
with stop.deferred() if {deferred} else contextlib.nullcontext():
    os.kill(os.getpid(), signal.SIGTERM)
    print("going on", stop.is_set, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("never reached", flush=True)
"""


def _run(deferred: bool) -> subprocess.CompletedProcess[str]:
    script = SCRIPT.format(deferred=deferred)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_sigterm_ends_the_process_unless_there_is_a_state_to_save():
    at_once, later = _run(deferred=False), _run(deferred=True)
    assert (at_once.returncode, at_once.stdout) == (-signal.SIGTERM, "")
    assert (later.returncode, later.stdout) == (-signal.SIGTERM, "going on True\n")
