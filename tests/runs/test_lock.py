import errno
import fcntl
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genelab.errors import InputError
from genelab.runs import lock
from genelab.runs.files import write_atomic
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


def refused(folder: Path) -> str:
    """What is said if another process holds the lock, of which the file tells what it tells."""
    with (folder / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError) as caught, locked(folder):
            pass
    return str(caught.value).removeprefix(f"directory '{folder}' is in use by ")


def test_a_holder_on_another_machine_is_named_with_it(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("1 2026-01-01T00:00:00Z elsewhere\n")
    assert refused(tmp_path) == "process 1 on elsewhere (since 2026-01-01T00:00:00Z)"


def test_a_holder_that_never_writes_its_name_is_not_called_by_that_of_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "NAME_S", 0.02)
    dead = subprocess.Popen(["true"])
    dead.wait()
    for text in ("", "half", f"{dead.pid} 2026-01-01T00:00:00Z {platform.node()}\n", "\udcff 2026 x"):
        (tmp_path / ".lock").write_text(text, errors="surrogateescape")
        assert refused(tmp_path) == "another process"


def test_a_holder_is_waited_for_until_it_has_written_its_name(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    threading.Timer(0.3, lambda: path.write_text(f"{os.getpid()} 2026-01-01T00:00:00Z {platform.node()}\n")).start()
    assert refused(tmp_path) == f"process {os.getpid()} (since 2026-01-01T00:00:00Z)"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_one_clear_error(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    message = f"cannot write '{tmp_path / '.lock'}': its file system gives no locks; use a local one"
    with pytest.raises(InputError, match=re.escape(message)), locked(tmp_path):
        pass
    with pytest.raises(InputError, match="gives no locks"):
        write_atomic(tmp_path / "record.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
