"""The floating addresses of a router: which it should carry, which it carries, and the steps from one to the other.

Rule 1: one address once, however many virtual servers use it; the first active one in the file says device and mask.
Rule 2: the mask is the configured one, else /32 (IPv6: always /128), never a classful one. Several addresses may stand
on one alias: an alias is no more than the label of an address.
Rule 3: only what we added is taken away. An address that somebody else put there is used as it is and left there.
Rule 4: a new address comes before an old one goes. A removal never takes others' addresses of the same network along,
and one of ours never stays in front of them: in front is the address that the kernel gives new connections.
Rule 5: an address that lvs.cf names no more stays while connections drain through it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, ip_address, ip_interface

from piranha.config.model import Address, Cluster, FloatingAddress, Forwarding, HostName

LABEL_MAX = 15
"""Characters in the name of an interface or a label (IFNAMSIZ of linux/if.h, less the end)."""
NAT_ROUTER = "nat_router"
_ALL_STATIONS = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """What identifies an address on a router: the interface, the address, the prefix length."""

    device: str
    address: Address
    prefix_length: int

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix_length} on {self.device}"

    @property
    def network(self) -> tuple[str, Address, int]:
        """Return what the kernel takes for the network of the address: the same for a primary and its secondaries."""
        interface = ip_interface((self.address, self.prefix_length))
        return self.device, interface.network.network_address, self.prefix_length


@dataclass(frozen=True, slots=True)
class WantedAddress:
    """A floating address as the router should carry it.

    `label` is the alias of an IPv4 address (`eth0:1`); IPv6 addresses have none. `broadcast` is what the configured
    mask implies, None without one. `source` is who asks for it: the written path of a virtual server, or NAT_ROUTER.
    """

    held: Held
    label: str
    broadcast: IPv4Address | None
    source: str


@dataclass(frozen=True, slots=True)
class RefusedAddress:
    """A floating address that no router can carry as it is configured, and what to do about it.

    `is_unknown`: it is a host name whose address nobody said yet.
    """

    source: str
    sentence: str
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. `announces`: its neighbours find it by ARP and neighbour discovery, as on Ethernet."""

    name: str
    index: int
    mac: str
    is_up: bool
    has_carrier: bool
    announces: bool
    is_loopback: bool = False


@dataclass(frozen=True, slots=True)
class PresentAddress:
    """An address that is there. `is_secondary`: it goes with the primary address of its network (IPv4 only)."""

    held: Held
    label: str = ""
    broadcast: IPv4Address | None = None
    is_secondary: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The interfaces by name, and all addresses in the kernel's order."""

    links: Mapping[str, Link]
    addresses: tuple[PresentAddress, ...]


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Put an address on its interface."""

    wanted: WantedAddress


@dataclass(frozen=True, slots=True)
class ReseatAddress:
    """Add an address of ours anew, behind others' of its network and with the right label.

    It is there all the time: the same address with the prefix length `stand_in`, which nobody uses, bridges the gap.
    """

    wanted: WantedAddress
    stand_in: int


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """Take an address of ours away, and no other with it."""

    held: Held


AddressStep = AddAddress | ReseatAddress | RemoveAddress


class Outcome(StrEnum):
    """How a step went."""

    DONE = "done"
    WAS_THERE = "was there already"
    """Somebody else added the address between the reading and the step."""
    REFUSED = "refused"


class Condition(StrEnum):
    """How a floating address stands on this router."""

    OURS = "ours"
    MISSING = "missing"
    """A step adds it."""
    WAS_THERE = "was there already"
    NO_DEVICE = "no such interface"


@dataclass(frozen=True, slots=True)
class Standing:
    """A wanted address, how it stands, and what the administrator should know of it ("" : nothing)."""

    wanted: WantedAddress
    condition: Condition
    remark: str = ""


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """The steps to take.

    `owned` is ours as soon as the first step is taken: it is written down *before*, so that a router that dies in
    between knows its own addresses afterwards; `owned_after` says what each step makes of it.
    """

    steps: tuple[AddressStep, ...]
    owned: frozenset[Held]
    standings: tuple[Standing, ...]


def wanted_addresses(
    cluster: Cluster, resolved: Mapping[HostName, Address]
) -> tuple[tuple[WantedAddress, ...], tuple[RefusedAddress, ...]]:
    """Return the floating addresses of the active router, in file order, the NAT router's last; and what is refused.

    It is for the caller to know whether this router is active: a passive one wants none. Where no virtual server is
    active, there is none either, the NAT router's included.
    """
    wanted: dict[Address, WantedAddress] = {}
    refused: list[RefusedAddress] = []
    for source, floating, mask in _asked(cluster):
        address = resolved.get(floating.host) if isinstance(floating.host, str) else floating.host
        if address is None:
            sentence = f"The name {floating.host} was not found. Write its address, or tell the resolver the name."
            refused.append(RefusedAddress(source, sentence, is_unknown=True))
        elif address not in wanted:
            sentence = _why_not(address, floating.device, mask)
            if sentence:
                refused.append(RefusedAddress(source, sentence))
            else:
                wanted[address] = _wanted(address, floating.device, mask, source)
    return tuple(wanted.values()), tuple(refused)


def _asked(cluster: Cluster) -> Iterable[tuple[str, FloatingAddress, IPv4Address | None]]:
    for virtual in cluster.active_virtual_servers:
        if virtual.address is not None:
            yield virtual.id, virtual.address, virtual.vip_nmask
    if cluster.active_virtual_servers and cluster.forwarding is Forwarding.NAT and cluster.nat_router is not None:
        yield NAT_ROUTER, cluster.nat_router, cluster.nat_nmask


def _why_not(address: Address, device: str, mask: IPv4Address | None) -> str:
    base = device.partition(":")[0]
    if not base:
        return f"{address} names no device to carry it. Write one behind it, for example eth0:1."
    if len(base) > LABEL_MAX:
        return f"{base} is too long for an interface: {len(base)} characters, {LABEL_MAX} are possible."
    if len(device) > LABEL_MAX and address.version == 4:
        return (
            f"The alias {device} is too long: {len(device)} characters, {LABEL_MAX} are possible. "
            f"Write a shorter one, or {base} alone."
        )
    if address.is_multicast or address.is_unspecified or address.is_loopback or address == _ALL_STATIONS:
        return f"{address} is no address that a router can carry for others. Write another one in lvs.cf."
    if mask is not None and address.version == 4 and prefix_of(mask) is None:
        return f"{mask} is not a netmask: its ones are not all in front. Write for example 255.255.255.0."
    return ""


def prefix_of(mask: IPv4Address) -> int | None:
    """Return the prefix length of a netmask, None if it is none."""
    ones = int(mask).bit_count()
    return ones if int(mask) == (0xFFFFFFFF << (32 - ones)) & 0xFFFFFFFF else None


def _wanted(address: Address, device: str, mask: IPv4Address | None, source: str) -> WantedAddress:
    base = device.partition(":")[0]
    if address.version == 6:
        return WantedAddress(Held(base, address, 128), "", None, source)
    prefix = prefix_of(mask) if mask is not None else None
    if mask is None or prefix is None:
        return WantedAddress(Held(base, address, 32), device, None, source)
    broadcast = IPv4Address(int(address) | ~int(mask) & 0xFFFFFFFF)
    return WantedAddress(Held(base, address, prefix), device, broadcast, source)


def to_spare(
    owned: Collection[Held],
    wanted: Collection[WantedAddress],
    before: Collection[WantedAddress],
    draining: Collection[Address] = (),
    is_unsure: bool = False,
) -> frozenset[Held]:
    """Return which of our addresses stay for now though nothing wants them any more.

    `draining`: the addresses of virtual servers that left lvs.cf and still have connections; these need the NAT
    router's address for their answers too. `is_unsure`: some host names of lvs.cf have no address yet; then what this
    run did not want `before` may be theirs, and a former run claimed it: no client loses it because a resolver is late.
    """
    addresses = {each.held.address for each in wanted}
    known = {each.held: each.source for each in before}
    return frozenset(
        held
        for held in owned
        if held.address not in addresses
        and (
            held.address in draining
            or (bool(draining) and known.get(held) == NAT_ROUTER)
            or (is_unsure and held not in known)
        )
    )


def plan(
    present: Present, owned: Collection[Held], wanted: Collection[WantedAddress], spared: Collection[Held] = ()
) -> AddressPlan:
    """Return what to do so that this router carries the wanted addresses and no other of ours.

    `owned`: what we added, as it was written down. `spared`: what stays all the same (`to_spare`).
    """
    there = {each.held: each for each in present.addresses}
    ours = {held for held in owned if held in there}
    in_front = _in_front_of_others(present, ours)
    foreign: dict[Address, list[Held]] = {}
    for other in there:
        if other not in ours:
            foreign.setdefault(other.address, []).append(other)
    adds: list[AddressStep] = []
    reseats: list[AddressStep] = []
    standings: list[Standing] = []
    for each in wanted:
        standing = _standing(each, present, ours, foreign.get(each.held.address, ()))
        standings.append(standing)
        if standing.condition is Condition.MISSING:
            adds.append(AddAddress(each))
        elif standing.condition is Condition.OURS and each.held.address.version == 4:
            now = there[each.held]
            if each.held in in_front or (now.label, now.broadcast) != (each.label, each.broadcast):
                reseats.append(ReseatAddress(each, _stand_in(each.held, there)))
    kept = {each.held for each in wanted}.union(spared)
    # Secondaries first: then no primary of ours has to hand its place on to another one that goes too.
    gone = [each for each in present.addresses if each.held in ours and each.held not in kept]
    gone.sort(key=lambda each: not each.is_secondary)
    removals = [RemoveAddress(each.held) for each in gone]
    added = {step.wanted.held for step in adds if isinstance(step, AddAddress)}
    return AddressPlan((*adds, *reseats, *removals), frozenset(ours | added), tuple(standings))


def _in_front_of_others(present: Present, ours: Collection[Held]) -> set[Held]:
    """Return the addresses of ours that go behind, since somebody else's address of the same network came later."""
    networks = {each.held.network for each in present.addresses if each.is_secondary and each.held not in ours}
    primaries = {each.held.network for each in present.addresses if each.held in ours and not each.is_secondary}
    late = networks & primaries
    # All of ours in such a network, not only the first: behind it the next one of ours would be the first.
    return {each.held for each in present.addresses if each.held in ours and each.held.network in late}


def _stand_in(held: Held, there: Collection[Held]) -> int:
    """Return a prefix length with which the address is not there; a long one, that has little company."""
    return next(length for length in range(32, 0, -1) if Held(held.device, held.address, length) not in there)


def _standing(wanted: WantedAddress, present: Present, ours: Collection[Held], same: Collection[Held]) -> Standing:
    """Say how an address stands; `same` is where somebody else put it."""
    held = wanted.held
    here = [each for each in same if each.device == held.device]
    if held in ours:
        return Standing(wanted, Condition.OURS, _remark(held, present, same))
    if here:
        remark = (
            f"{here[0]} was there already: somebody else put it there. It is used as it is, and stays there when this "
            "router becomes passive. Remove it from the interface, then it is added as configured."
        )
        return Standing(wanted, Condition.WAS_THERE, remark)
    if held.device not in present.links:
        remark = f"There is no interface {held.device} on this router. Make it, or name another one in lvs.cf."
        return Standing(wanted, Condition.NO_DEVICE, remark)
    return Standing(wanted, Condition.MISSING, _remark(held, present, same))


def _remark(held: Held, present: Present, others: Collection[Held]) -> str:
    link = present.links.get(held.device)
    if link is not None and not link.is_up:
        return f"{held.device} is down: nobody reaches {held.address} there."
    if link is not None and not link.has_carrier:
        return f"{held.device} has no carrier: nobody reaches {held.address} there."
    # On the loopback interface it is right: a router that is a real server too under direct routing.
    elsewhere = [each for each in others if each.device in present.links and not present.links[each.device].is_loopback]
    return f"{elsewhere[0]} is there too: somebody else put it there." if elsewhere else ""


def owned_after(owned: frozenset[Held], step: AddressStep, outcome: Outcome) -> frozenset[Held]:
    """Return what is ours after a step: an address that was not added, or is removed, is not ours."""
    match step:
        case AddAddress(wanted):
            return owned | {wanted.held} if outcome is Outcome.DONE else owned - {wanted.held}
        case RemoveAddress(held):
            return owned - {held} if outcome is Outcome.DONE else owned
        case ReseatAddress():
            return owned


def describe(step: AddressStep) -> str:
    """Return what a step does, as it stands in a plan or a log."""
    match step:
        case AddAddress(wanted):
            label = f" as {wanted.label}" if wanted.label not in ("", wanted.held.device) else ""
            return f"add the address {wanted.held}{label}"
        case ReseatAddress(wanted):
            return f"put the address {wanted.held} in its place anew, labelled {wanted.label}"
        case RemoveAddress(held):
            return f"remove the address {held}"


def owned_text(owned: Collection[Held]) -> str:
    """Return the addresses of ours as they are written down: a line each, `eth0 192.0.2.1/32`."""
    return "".join(f"{held.device} {held.address}/{held.prefix_length}\n" for held in sorted(owned, key=_written_order))


def owned_from(text: str) -> frozenset[Held]:
    """Return what was written down. A line that nobody can read is left out: what is not surely ours is not ours."""
    found = set()
    for line in text.splitlines():
        device, _, written = line.strip().partition(" ")
        host, slash, prefix = written.partition("/")
        try:
            address = ip_address(host)
        except ValueError:
            continue
        width = 32 if address.version == 4 else 128
        if device and slash and prefix.isascii() and prefix.isdecimal() and int(prefix) <= width:
            found.add(Held(device, address, int(prefix)))
    return frozenset(found)


def _written_order(held: Held) -> tuple[str, int, int, int]:
    return held.device, held.address.version, int(held.address), held.prefix_length
