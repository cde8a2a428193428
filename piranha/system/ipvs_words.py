"""The kernel's services in the table's words: where the two tell the same thing differently. Pure."""

from piranha.ipvs.table import DestinationKey, Service, TableKey
from piranha.system.ipvs_netlink import FALLBACK, PERSISTENT, PROTOCOL_OF, WIDTH, KernelService

_PROTOCOL_WORDS = {6: "TCP", 17: "UDP", 132: "SCTP"}


def key_of(service: KernelService) -> TableKey | None:
    """Return a service's key; None if it is not for our table: another protocol."""
    if service.fwmark:
        return TableKey(fwmark=service.fwmark, mark_version=service.version)
    protocol = PROTOCOL_OF.get(service.protocol)
    return TableKey(protocol, service.address, service.port) if protocol is not None else None


def service_of(service: KernelService) -> Service:
    """Return a service in the table's words. A mask without persistence says nothing and is the widest."""
    is_persistent = service.flags & PERSISTENT and service.timeout_s
    prefix = service.prefix if is_persistent else WIDTH[service.version]
    has_fallback = bool(service.flags & FALLBACK)
    return Service(service.scheduler, service.timeout_s if is_persistent else 0, prefix, has_fallback)


def words(service: KernelService) -> str:
    """Return a service that our table does not have, as it stands in a list."""
    protocol = _PROTOCOL_WORDS.get(service.protocol, f"protocol {service.protocol}")
    return f"{protocol} {DestinationKey(service.address, service.port)} ({service.scheduler})"
