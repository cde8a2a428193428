"""What the canonical form must keep, and who must be able to read it."""

import re
from dataclasses import replace

from piranha.config.escapes import translate
from piranha.config.fields import SCHEDULERS
from piranha.config.load import strict
from piranha.config.model import Cluster
from piranha.errors import ConfigSyntaxError
from tests.config.plain_reading import lines_of

NEWER = {choice.value for choice in SCHEDULERS if choice.is_extension}
"""Values that the original refuses the file for."""


def meaning(cluster: Cluster) -> Cluster:
    """Return what the canonical form keeps: all but the first serial number, and whether a port is in words.

    Of a text, the bytes that a check sends or expects.
    """
    virtuals = tuple(
        replace(
            virtual,
            send=_meant(virtual.send),
            expect=_meant(virtual.expect),
            servers=tuple(replace(server, has_own_port=True) for server in virtual.servers),
        )
        for virtual in cluster.virtual_servers
    )
    failovers = tuple(
        replace(failover, send=_meant(failover.send), expect=_meant(failover.expect))
        for failover in cluster.failover_services
    )
    return replace(cluster, serial_no=cluster.serial_no or 1, virtual_servers=virtuals, failover_services=failovers)


def _meant(text: str | None) -> str | None:
    return None if text is None else translate(text)[0].decode("utf-8")


def check_strict(text: str) -> None:
    """Read a canonical text as the original, which refuses it for values newer than it and for nothing else."""
    try:
        strict(text)
    except ConfigSyntaxError as error:
        assert error.code == "BADARGUMENT", error
        value = lines_of(text)[error.line - 1].partition(" = ")[2]
        assert value in NEWER or re.fullmatch(r"[0-9a-f:.]*:[0-9a-f:.]*( [^ ]+)?", value), error
