"""The kernel's services in the table's words, and back: where the two tell the same thing differently.

A mark's service has an IP version in the kernel, and none in our key. Pure.
"""

from collections.abc import Collection, Mapping, Sequence

from piranha.ipvs.table import AddDestination, AddService, DestinationKey, Service, Step, TableKey
from piranha.system.ipvs_netlink import PERSISTENT, PROTOCOL_OF, WIDTH, KernelService

_PROTOCOL_WORDS = {6: "TCP", 17: "UDP", 132: "SCTP"}


def key_of(service: KernelService, mark_versions: Mapping[int, int]) -> TableKey | None:
    """Return a service's key; None if it is not for our table: another protocol, a mark's other IP version."""
    if service.fwmark:
        is_ours = mark_versions[service.fwmark] == service.version
        return TableKey(fwmark=service.fwmark) if is_ours else None
    protocol = PROTOCOL_OF.get(service.protocol)
    return TableKey(protocol, service.address, service.port) if protocol is not None else None


def versions_of_marks(services: Collection[KernelService], known: Mapping[int, int]) -> dict[int, int]:
    """Return the IP version of each mark's service; of two, the one that was ours before, else IPv4."""
    found: dict[int, set[int]] = {}
    for service in services:
        if service.fwmark:
            found.setdefault(service.fwmark, set()).add(service.version)
    return {mark: known[mark] if known.get(mark) in versions else min(versions) for mark, versions in found.items()}


def versions_of_new_marks(steps: Sequence[Step]) -> dict[int, int]:
    """Return the IP version of each mark whose service is added: that of its first destination that is, too."""
    new = {step.key.fwmark for step in steps if isinstance(step, AddService) and step.key.fwmark}
    found: dict[int, int] = {}
    for step in steps:
        if isinstance(step, AddDestination) and step.key.fwmark in new:
            found.setdefault(step.key.fwmark, step.destination_key.address.version)
    return found


def service_of(service: KernelService) -> Service:
    """Return a service in the table's words. A mask without persistence says nothing and is the widest.

    A mark's prefix is counted in an IPv4 netmask by our table: 32 is each client alone, which is 128 for IPv6.
    """
    width = WIDTH[service.version]
    is_persistent = service.flags & PERSISTENT and service.timeout_s
    prefix = service.prefix if is_persistent else width
    if service.fwmark and prefix == width:
        prefix = WIDTH[4]
    return Service(service.scheduler, service.timeout_s if is_persistent else 0, prefix)


def said(key: TableKey, version: int, service: Service) -> Service:
    """Return a service in the kernel's words, the reverse of `service_of`."""
    if key.fwmark and version == 6 and service.persistence_prefix <= WIDTH[4]:
        return Service(service.scheduler, service.persistent_s, WIDTH[6])
    return service


def words(service: KernelService) -> str:
    """Return a service that our table does not have, as it stands in a list."""
    if service.fwmark:
        return f"firewall mark {service.fwmark} for IPv{service.version} ({service.scheduler})"
    protocol = _PROTOCOL_WORDS.get(service.protocol, f"protocol {service.protocol}")
    return f"{protocol} {DestinationKey(service.address, service.port)} ({service.scheduler})"
