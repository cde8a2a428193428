"""What root allows the engine beyond balancing: /etc/sysconfig/ha/policy.toml, which no call of the API ever writes.

    manage_sysctl = true

    [programs."/usr/local/bin/check_db"]      # as lvs.cf writes it
    run_as = "dbcheck"

A missing file allows nothing. One that cannot be trusted or understood allows nothing either, and that is told.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed. `manages_sysctl`: the kernel's settings may be set as what runs needs them.

    `run_as`: the users of checking programs, by the program as lvs.cf writes it; others run as nobody. `problem`: why
    the file was not taken, or "".
    """

    manages_sysctl: bool = False
    run_as: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def read_policy(file: Path) -> Policy:
    """Return the policy that the file states. It never raises."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        return _refused(file, f"it cannot be read ({error.strerror}).")
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return _refused(file, "it is not a file.")
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return _refused(file, "others than root can write it. Type: chown root FILE && chmod 0600 FILE")
        raw = os.read(handle, BYTES_MAX + 1)
    finally:
        os.close(handle)
    if len(raw) > BYTES_MAX:
        return _refused(file, f"it is larger than {BYTES_MAX} bytes.")
    try:
        told = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refused(file, f"it is not TOML ({error}).")
    manages = told.get("manage_sysctl", False)
    if not isinstance(manages, bool):
        return _refused(file, "manage_sysctl is neither true nor false.")
    programs = told.get("programs", {})
    if not isinstance(programs, dict) or not all(isinstance(each, dict) for each in programs.values()):
        return _refused(file, 'programs holds no tables. Write [programs."/path/of/it"], and run_as below it.')
    run_as = {program: rules["run_as"] for program, rules in programs.items() if "run_as" in rules}
    if not all(isinstance(user, str) and user for user in run_as.values()):
        return _refused(file, "run_as is no name of a user.")
    return Policy(manages, run_as)


def _refused(file: Path, why: str) -> Policy:
    return Policy(problem=f"{file} allows nothing: {why.replace('FILE', str(file))}")
