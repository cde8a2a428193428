"""Loading the kernel modules of IPVS, by `modprobe` as an argument vector, where this process may.

Rule 1: only `ip_vs` and its schedulers, by names that cannot be anything else.
Rule 2: a failure is a sentence with what to do. Nobody waits longer than LIMIT_S.
"""

import os
import re
import subprocess
from pathlib import Path

LIMIT_S = 10.0
FOLDERS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")

_SCHEDULER = re.compile(r"[a-z][a-z0-9_]{0,14}")
_SAID_CHARACTERS_MAX = 200


def module_of(scheduler: str) -> str:
    """Return the module of a scheduler, "" if no module can have such a name."""
    return f"ip_vs_{scheduler}" if _SCHEDULER.fullmatch(scheduler) else ""


def load(module: str, folders: tuple[str, ...] = FOLDERS, limit_s: float = LIMIT_S) -> str:
    """Load a module of the kernel; return "" or why that did not work, as one sentence.

    Loaded already is no failure. The program sees a fixed environment, whatever this process was started with.
    """
    program = next((path for folder in folders if os.access(path := Path(folder, "modprobe"), os.X_OK)), None)
    if program is None:
        return f"There is no modprobe in {', '.join(folders)} to load the kernel module {module}."
    try:
        done = subprocess.run(
            [str(program), "--", module],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
            env={"PATH": ":".join(folders), "LC_ALL": "C"},
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return f"modprobe {module} did not end within {limit_s:g} s and was stopped."
    except OSError as error:
        return f"{program} cannot be started: {error.strerror}."
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    said = next((line.strip() for line in lines if line.strip()), "")[:_SAID_CHARACTERS_MAX].rstrip(".")
    return f"modprobe {module} failed: {said or f'exit status {done.returncode}'}."
