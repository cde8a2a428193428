"""A series of saves whose every text is known: lvs.cf tells which save made it, and whether it is whole."""

import re

from piranha.config.edits import SetValues
from piranha.engine.caller import Caller
from piranha.messages import SaveRequest

SERVERS = 40
WEIGHTED = "virtual[web].server[web7].weight"
CALLER = Caller("admin", "192.0.2.99")
_SERIAL = re.compile(rb"^serial_no = ([0-9]+)$", re.MULTILINE)


def text_of(serial: int) -> bytes:
    """Return the only lvs.cf of the series that has this serial number."""
    lines = ["# the site's balancer", f"serial_no = {serial}", "primary = 192.0.2.1", "virtual web {", "     port = 80"]
    for number in range(SERVERS):
        weight = serial % 60000 + 1 if number == 7 else 1
        lines += [
            f"     server web{number} {{",
            f"         address = 10.0.0.{number + 1}",
            f"         weight = {weight}",
        ]
        lines += ["     }"]
    return "\n".join([*lines, "}", ""]).encode()


def serial_of(raw: bytes) -> int:
    """Return the serial number of one of these texts."""
    found = _SERIAL.search(raw)
    assert found is not None, raw[:80]
    return int(found[1])


def next_save(serial: int) -> SaveRequest:
    """Return the save that makes the next text out of the one with this serial number."""
    weight = str((serial + 1) % 60000 + 1)
    return SaveRequest([SetValues(path=WEIGHTED.rpartition(".")[0], values={"weight": weight})], [])
