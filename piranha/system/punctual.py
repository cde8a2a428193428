"""Have the kernel run this process when it is due, however busy the machine is, and keep its memory in place.

Without the privilege everything works, only less punctually.
"""

import contextlib
import ctypes
import gc
import os

_MCL_CURRENT = 1  # linux/mman.h


def prefer_this_process() -> None:
    """Prefer this process, not those that it starts, before all ordinary ones (man 7 sched); and never swap it out."""
    if hasattr(os, "sched_setscheduler") and hasattr(os, "SCHED_RESET_ON_FORK"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    with contextlib.suppress(OSError, AttributeError):
        # Not what is to come: with a limit on locked memory the process would get no more memory at all beyond it.
        ctypes.CDLL(None).mlockall(_MCL_CURRENT)
    gc.collect()
    gc.freeze()
