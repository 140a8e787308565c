"""Ties a child to its parent, then becomes the child's command: python child.py PARENT_PID COMMAND...

Run as a file in an isolated interpreter, so that it starts quickly. A shim and not a `preexec_fn`, which runs Python
between fork and exec and may deadlock there.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for SIGTERM when the parent dies, then exec. The request survives the exec."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent died before the child began")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
