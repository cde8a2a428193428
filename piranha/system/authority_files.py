"""The files with certificates that piranha.toml names (`ca_file`), read by who may read them.

The processes that make the checks may read next to nothing, so the bytes go to them with each check: such a file is one
of a few own authorities, and has a bound. All the world's are in the system's file, which everybody may read.
"""

from collections.abc import Iterable, Mapping

from piranha.config.check_kinds import VIRTUAL, CheckKind
from piranha.config.faults import Fault, Severity
from piranha.config.toml_text import TomlText
from piranha.config.toml_values import quoted
from piranha.errors import ConfigUnavailable
from piranha.health.kinds import Authorities
from piranha.paths import Paths
from piranha.system import regular_file

BYTES_MAX = 16 * 1024


def read_all(paths: Paths, kinds: Iterable[CheckKind]) -> dict[str, Authorities]:
    """Return what each file that a check verifies with holds, or why it cannot be read, by its name in piranha.toml."""
    return {name: _read(paths, name) for name in {each.ca_file for each in kinds if each.ca_file and each.verifies}}


def faults_of(paths: Paths, raw: bytes, kinds: Mapping[str, CheckKind]) -> tuple[Fault, ...]:
    """Return a fault for each file that cannot be read. `raw`: the bytes of the piranha.toml that names them, UTF-8."""
    read, text = read_all(paths, kinds.values()), TomlText(raw.decode("utf-8").removeprefix("\ufeff"))
    for name, kind in kinds.items():
        trouble = read[kind.ca_file].trouble if kind.ca_file in read else ""
        if trouble:
            message = f"{trouble}. So the real servers of {quoted(name)} are not checked, and new ones get no traffic."
            advice = "Put the authority's certificate there, in PEM, or take ca_file out."
            text.note(Severity.WARNING, "toml-value", f"{VIRTUAL}.{name}", "ca_file", kind.ca_file, message, advice)
    return tuple(text.faults)


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
