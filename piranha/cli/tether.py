"""Run a program that does not outlive the process that started it.

    python -I -S tether.py PARENT_PID PROGRAM ARGUMENT...

On Linux the kernel is told to kill this process when its parent ends, however that ends; then the program
takes its place. Elsewhere it just runs. This file is run by its path and imports the standard library alone.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # *After* the call: a parent that ended before it would never be noticed.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
