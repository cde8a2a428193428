"""The addresses of this router's interfaces: read them, add one, remove one, hear of changes. Nothing is decided here.

How an address is added:

- IPv4: scope global, with the alias as label. The first address of its network on an interface is the *primary*, the
  one that new connections come from, and the others go with it when it is removed. A /32 is a network of its own: it
  brings no route, and no connection comes from it.
- IPv6: /128 without a route, without the kernel's duplicate-address detection (`arp.Listener` asks before, and a
  takeover must not wait a second), and *deprecated*: no new connection comes from it (RFC 6724, rule 3).

How one is removed: while it goes, `promote_secondaries` of its interface is on, so that the next address of the network
moves up instead of being deleted; then it is what it was before. No link is taken down, no setting is kept.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from piranha.errors import PiranhaError, StepRefused
from piranha.ipvs.addresses import (
    LABEL_MAX,
    AddAddress,
    AddressStep,
    Held,
    Link,
    Outcome,
    Present,
    PresentAddress,
    RemoveAddress,
    ReseatAddress,
    WantedAddress,
    describe,
)
from piranha.system import route_netlink as netlink
from piranha.system.route_netlink import Refused, RouteSocket

if TYPE_CHECKING:
    from types import TracebackType

_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200  # linux/if_addr.h
_FOREVER = 0xFFFFFFFF
_IFLA_AF_SPEC, _IFLA_INET_CONF, _NESTED = 26, 1, 0x8000  # linux/if_link.h, linux/netlink.h
_PROMOTE_SECONDARIES = 20  # IPV4_DEVCONF_PROMOTE_SECONDARIES of linux/ip.h
_GONE = {errno.EADDRNOTAVAIL, errno.ENODEV}


@dataclass(frozen=True, slots=True)
class Applied:
    """How a step went; `sentence` says why it was refused and what to do, "" otherwise."""

    step: AddressStep
    outcome: Outcome
    sentence: str = ""


class RouterAddresses:
    """The interfaces and addresses of the network namespace it was made in. A step takes well below a millisecond.

    Raises PiranhaError where the kernel cannot be asked.
    """

    def __init__(self) -> None:
        self._socket = RouteSocket()
        self._links: dict[str, tuple[Link, bool]] = {}

    def __enter__(self) -> "RouterAddresses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket. The addresses stay."""
        self._socket.close()

    def read(self) -> Present:
        """Return the interfaces and addresses that are there."""
        links: dict[str, Link] = {}
        for kind, data in self._dump(netlink.links_request()):
            if kind == netlink.RTM_NEWLINK:
                link, _ = netlink.read_link(data)
                links[link.name] = link
        names = {link.index: link.name for link in links.values()}
        addresses: list[PresentAddress] = []
        for kind, data in self._dump(netlink.addresses_request()):
            device = names.get(netlink.index_of_address(data), "")
            address = netlink.read_address(data, device) if kind == netlink.RTM_NEWADDR and device else None
            if address is not None:
                addresses.append(address)
        return Present(links, tuple(addresses))

    def apply(self, step: AddressStep) -> Outcome:
        """Take a step. Raises StepRefused with the reason and what to do."""
        self._links.clear()
        return self._apply(step)

    def apply_all(self, steps: Iterable[AddressStep]) -> tuple[Applied, ...]:
        """Take steps one after the other, whatever becomes of the ones before; what is refused is said in the answer.

        A takeover of 1,000 addresses is a matter of a tenth of a second: each interface is looked up once.
        """
        self._links.clear()
        done: list[Applied] = []
        for step in steps:
            try:
                done.append(Applied(step, self._apply(step)))
            except StepRefused as refused:
                done.append(Applied(step, Outcome.REFUSED, str(refused)))
        return tuple(done)

    def _apply(self, step: AddressStep) -> Outcome:
        match step:
            case AddAddress(wanted):
                return self._add(step, wanted)
            case ReseatAddress():
                return self._reseat(step)
            case RemoveAddress(held):
                return self._remove(step, held)

    def _add(self, step: AddressStep, wanted: WantedAddress) -> Outcome:
        link, _ = self._link(step, wanted.held)
        (refused,) = self._socket.ask([_adding(wanted, link.index)])
        if refused is not None and refused.code == errno.EEXIST:
            return Outcome.WAS_THERE
        if refused is not None:
            raise StepRefused(_sentence(step, wanted.held, refused)) from refused
        return Outcome.DONE

    def _remove(self, step: AddressStep, held: Held) -> Outcome:
        try:
            link, promotes = self._link(step, held)
        except StepRefused:
            return Outcome.DONE  # it went with its interface
        removing = _removing(held, link.index, promotes)
        # Whom an earlier owner's announcement named: packets that still come here would go to a router that has the
        # address no more, and back, until their time to live ends. Without it they wait here for the next owner.
        forgotten = netlink.forget_neighbour(held.address, link.index)
        _, *answers = self._socket.ask([forgotten, *removing])
        refused = answers[len(answers) // 2]
        if refused is not None and refused.code not in _GONE:
            raise StepRefused(_sentence(step, held, refused)) from refused
        return Outcome.DONE

    def _reseat(self, step: ReseatAddress) -> Outcome:
        """Remove and add an address in one go, while the same one with another prefix length stands in for it.

        The kernel does all of it in one call: a router that is killed meanwhile is killed after it.
        """
        wanted = step.wanted
        link, promotes = self._link(step, wanted.held)
        stand_in = replace(wanted, held=replace(wanted.held, prefix_length=step.stand_in), broadcast=None)
        removing = _removing(wanted.held, link.index, promotes)
        answers = self._socket.ask(
            [
                _adding(stand_in, link.index, _IFA_F_NOPREFIXROUTE),
                *removing,
                _adding(wanted, link.index),
                *_removing(stand_in.held, link.index, promotes),
            ]
        )
        refused = next((each for each in answers if each is not None), None)
        if refused is not None:
            raise StepRefused(_sentence(step, wanted.held, refused)) from refused
        return Outcome.DONE

    def _link(self, step: AddressStep, held: Held) -> tuple[Link, bool]:
        device = held.device
        if device in self._links:
            return self._links[device]
        try:
            for kind, data in self._socket.dump(netlink.links_request(device)):
                if kind == netlink.RTM_NEWLINK:
                    return self._links.setdefault(device, netlink.read_link(data))
        except Refused as refused:
            if refused.code != errno.ENODEV:
                raise StepRefused(_sentence(step, held, refused)) from refused
        raise StepRefused(
            f"Cannot {describe(step)}: there is no interface {device} on this router. "
            "Make it, or name another one in lvs.cf."
        )

    def _dump(self, request: bytes) -> list[tuple[int, bytes]]:
        try:
            return self._socket.dump(request)
        except Refused as refused:
            raise PiranhaError(f"The addresses of this router cannot be read: {refused}.") from refused


def _adding(wanted: WantedAddress, index: int, flags: int = 0) -> bytes:
    attributes: dict[str, object] = {}
    if wanted.held.address.version == 6:
        flags |= _IFA_F_NODAD | _IFA_F_NOPREFIXROUTE
        attributes["IFA_CACHEINFO"] = {"ifa_preferred": 0, "ifa_valid": _FOREVER, "cstamp": 0, "tstamp": 0}
    if wanted.label:
        attributes["IFA_LABEL"] = wanted.label
    if wanted.broadcast is not None:
        attributes["IFA_BROADCAST"] = str(wanted.broadcast)
    if flags:
        attributes["IFA_FLAGS"] = flags
    how = netlink.NLM_F_ACK | netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
    return _address(netlink.RTM_NEWADDR, how, wanted.held, index, attributes)


def _removing(held: Held, index: int, promotes: bool) -> list[bytes]:
    """Return the requests that remove an address and no other; that for the address itself stands in the middle."""
    removal = _address(netlink.RTM_DELADDR, netlink.NLM_F_ACK, held, index)
    if held.address.version == 6 or held.prefix_length == 32 or promotes:
        return [removal]
    return [_promoting(index, 1), removal, _promoting(index, 0)]


def _address(kind: int, flags: int, held: Held, index: int, attributes: Mapping[str, object] | None = None) -> bytes:
    family = socket.AF_INET if held.address.version == 4 else socket.AF_INET6
    fields = {"family": family, "prefixlen": held.prefix_length, "index": index}
    written = str(held.address)
    # Both: without IFA_ADDRESS a removal would not look at the prefix length.
    both = {"IFA_LOCAL": written, "IFA_ADDRESS": written}
    return netlink.address_message(kind, flags, fields, {**both, **(attributes or {})})


def _promoting(index: int, value: int) -> bytes:
    """Return the request that sets `promote_secondaries` of an interface, and nothing else of it.

    struct ifinfomsg with no flag to change; it works where /proc/sys cannot be written.
    """
    setting = netlink.attribute(_PROMOTE_SECONDARIES, struct.pack("=I", value))
    family = netlink.attribute(socket.AF_INET, netlink.attribute(_IFLA_INET_CONF | _NESTED, setting))
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0) + netlink.attribute(_IFLA_AF_SPEC, family)
    return netlink.message(netlink.RTM_SETLINK, netlink.NLM_F_ACK, body)


def _sentence(step: AddressStep, held: Held, refused: Refused) -> str:
    return f"Cannot {describe(step)}: {_reason(held, refused)}"


def _reason(held: Held, refused: Refused) -> str:
    match refused.code:
        case errno.EACCES if held.address.version == 6:
            return f"IPv6 is switched off there. Set net.ipv6.conf.{held.device}.disable_ipv6 to 0."
        case errno.EPERM | errno.EACCES:
            return "it is not permitted. Start the engine as root, or give it the capability CAP_NET_ADMIN."
        case errno.EAFNOSUPPORT | errno.EOPNOTSUPP if held.address.version == 6:
            return "this kernel has no IPv6: load it (modprobe ipv6), or start without ipv6.disable=1."
        case errno.ENODEV:
            return f"there is no interface {held.device} on this router. Make it, or name another one in lvs.cf."
        case errno.EINVAL | errno.EADDRNOTAVAIL:
            return f"the kernel takes no such address there ({refused}). Write another one in lvs.cf."
        case errno.ERANGE:
            return f"the kernel takes no label of that length. Write a shorter alias than {LABEL_MAX + 1} characters."
        case errno.ENOMEM | errno.ENOBUFS:
            return "the kernel has no memory left for it; it is tried again. Free memory on this router."
        case _:
            return f"the kernel says: {refused}. It is tried again. See the kernel's log (dmesg) if that stays so."


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """An interface is so now; or is gone."""

    link: Link
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """An address was added, changed or removed. The device is "" if it is gone already."""

    address: PresentAddress
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class ChangesLost:
    """There was more than could be kept. Read everything anew."""


Change = LinkChanged | AddressChanged | ChangesLost


class ChangeWatch:
    """Hears of every change of interfaces and addresses, whoever makes it, from the moment it is made.

    `fileno` is for the event loop's add_reader, `changes` never waits. Raises PiranhaError.
    """

    def __init__(self) -> None:
        groups = netlink.RTMGRP_LINK | netlink.RTMGRP_IPV4_IFADDR | netlink.RTMGRP_IPV6_IFADDR
        self._socket = RouteSocket(groups)

    def __enter__(self) -> "ChangeWatch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with a change."""
        return self._socket.fileno()

    def changes(self) -> tuple[Change, ...]:
        """Return what changed since the last call, the oldest first."""
        said = self._socket.changes()
        if said is None:
            return (ChangesLost(),)
        found: list[Change] = []
        for kind, data in said:
            if kind in (netlink.RTM_NEWLINK, netlink.RTM_DELLINK):
                # A bridge tells of its ports in the same words (family AF_BRIDGE); they are no change of the interface.
                if data[netlink.HEADER.size] == socket.AF_UNSPEC:
                    found.append(LinkChanged(netlink.read_link(data)[0], kind == netlink.RTM_DELLINK))
            elif kind in (netlink.RTM_NEWADDR, netlink.RTM_DELADDR):
                address = netlink.read_address(data, _name_of(netlink.index_of_address(data)))
                if address is not None:
                    found.append(AddressChanged(address, kind == netlink.RTM_DELADDR))
        return tuple(found)


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
