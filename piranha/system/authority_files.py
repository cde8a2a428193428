"""The files with certificates that piranha.toml names (`ca_file`), read by who may read them.

The processes that make the checks may read next to nothing, so the bytes go to them with each check: such a file is one
of a few own authorities, and has a bound. All the world's are in the system's file, which everybody may read.
"""

from collections.abc import Iterable

from piranha.config.check_kinds import CheckKind
from piranha.errors import ConfigUnavailable
from piranha.health.kinds import Authorities
from piranha.paths import Paths
from piranha.system import regular_file

BYTES_MAX = 64 * 1024


def read_all(paths: Paths, kinds: Iterable[CheckKind]) -> dict[str, Authorities]:
    """Return what each file that a check verifies with holds, or why it cannot be read, by its name in piranha.toml."""
    return {name: _read(paths, name) for name in {each.ca_file for each in kinds if each.ca_file and each.verifies}}


def _read(paths: Paths, name: str) -> Authorities:
    path = paths.root / name.lstrip("/")
    try:
        pem = regular_file.read(path)
    except ConfigUnavailable as problem:
        return Authorities(trouble=str(problem).rstrip("."))
    if len(pem) > BYTES_MAX:
        return Authorities(trouble=f"{path} has more than {BYTES_MAX} bytes; without ca_file the system's file counts")
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        return Authorities(trouble=f"{path} has no certificate in PEM")
    return Authorities(pem)
