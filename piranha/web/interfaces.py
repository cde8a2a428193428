"""The network interfaces of this router. The GUI runs on it, and may see their names without any right."""

import socket

from piranha.web.texts import _

SHOWN_MAX = 8


def interfaces_here() -> list[str]:
    """Return the names of the interfaces, sorted; none if they cannot be read."""
    try:
        return sorted(name for _number, name in socket.if_nameindex())
    except OSError:
        return []


def device_doubt(device: str) -> str:
    """Return what to warn of where this router does not have the interface of a device `eth0:1`, "" else."""
    name, here = device.partition(":")[0], interfaces_here()
    if not name or not here or name in here:
        return ""
    there = ", ".join(here[:SHOWN_MAX])
    if len(here) > SHOWN_MAX:
        there = _("%(some)s and %(count)s more", some=there, count=len(here) - SHOWN_MAX)
    return _(
        "This router has no interface %(name)s; it has %(there)s. Both routers need it to carry the address.",
        name=name,
        there=there,
    )
