import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from genelab.errors import InputError
from genelab.runs.lock import locked

HOLD = (
    "import pathlib, sys, time; from genelab.runs.lock import locked\n"
    "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


def test_a_second_process_is_told_who_holds_it_and_the_kernel_frees_it(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    message = rf"directory '{tmp_path}' is in use by process {holder.pid} \(since \d{{4}}-.*Z\)"
    with pytest.raises(InputError, match=message), locked(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with locked(tmp_path):
        pass


def test_children_do_not_inherit_it(tmp_path: Path) -> None:
    with locked(tmp_path):
        child = subprocess.Popen(["sleep", "60"])
    with locked(tmp_path):
        child.kill()
        child.wait()


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with locked(tmp_path):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()
