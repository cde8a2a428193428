"""Sending and hearing the frames by which neighbours find an address, on one interface at a time (man 7 packet).

No call waits longer than SEND_LIMIT_S. Hardware addresses are read from the interface with every round, so that a
changed one is told. What the network or the kernel refuses is a sentence, not an exception: an address that cannot be
announced is there all the same.
"""

import asyncio
import contextlib
import ctypes
import errno
import socket
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

from piranha.config.model import Address
from piranha.errors import PiranhaError
from piranha.ipvs.announcements import Carried
from piranha.system import arp_frames as frames
from piranha.system.arp_frames import Claim

if TYPE_CHECKING:
    from types import TracebackType

SEND_LIMIT_S = 0.2
QUESTIONS = 2
ANSWER_WAIT_S = 0.1
"""How long to wait for an answer to each question: a neighbour on the same wire needs a millisecond."""
_FRAMES_AT_ONCE = 1000
_FRAME_MAX = 2048
_ARPHRD_ETHER = 1
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_IPV6_JOIN_GROUP = 20  # linux/in6.h
# Berkeley packet filter: ICMPv6 right behind the IPv6 header, type 135 or 136. Code, jump if so, jump if not, value.
_NEIGHBOURS_ONLY = (
    (0x30, 0, 0, 14 + 6),  # load the byte "next header"
    (0x15, 0, 4, 58),
    (0x30, 0, 0, 14 + 40),  # load the type
    (0x15, 1, 0, frames.SOLICITATION),
    (0x15, 0, 1, frames.ADVERTISEMENT),
    (0x06, 0, 0, _FRAME_MAX),  # take it
    (0x06, 0, 0, 0),  # leave it
)


class CannotSend(PiranhaError):
    """The interface, the kernel or a missing permission does not let frames through."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else has an address of ours, or is about to take it. `mac` is their hardware address."""

    device: str
    address: Address
    claim: Claim
    mac: str

    @property
    def sentence(self) -> str:
        """Return what the administrator reads."""
        if self.claim is Claim.WANTS:
            return f"{self.address} on {self.device}: {self.mac} is about to take the same address."
        return (
            f"{self.address} on {self.device} is in use already, by {self.mac}. Two stations with one address take "
            "each other's traffic: find out who that is and take the address away there."
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for addresses: the conflicts, and why some could not be asked for (a sentence each)."""

    conflicts: tuple[Conflict, ...]
    troubles: tuple[str, ...] = ()


def announce(device: str, addresses: Sequence[Address]) -> str:
    """Send one round of announcements of addresses that an interface carries. Return why not, or ""."""
    try:
        with _open(device) as link:
            mac = _mac_of(link, device)
            is_router = any(address.version == 6 for address in addresses) and _forwards(device)
            for address in addresses:
                for frame in frames.announcements(address, mac, is_router):
                    link.send(frame)
    except OSError as error:
        return str(_cannot(device, error))
    except CannotSend as error:
        return str(error)
    return ""


def send(device: str, frame: bytes) -> None:
    """Send one frame. Raises CannotSend."""
    try:
        with _open(device) as link:
            _mac_of(link, device)
            link.send(frame)
    except OSError as error:
        raise _cannot(device, error) from error


class Listener:
    """Hears who else claims some addresses on an interface, without taking part.

    Keep it open as long as the addresses are held and it tells of a second owner whenever one speaks. `descriptors`
    are for an event loop's add_reader; no method waits for anybody. `own_macs`: those of this machine's other
    interfaces, which may stand in the same network. Raises CannotSend.
    """

    def __init__(self, device: str, addresses: Collection[Address], own_macs: Collection[str] = ()) -> None:
        self._device = device
        self._addresses = frozenset(addresses)
        self._sockets: list[socket.socket] = []
        self._open = contextlib.ExitStack()
        try:
            if any(address.version == 4 for address in addresses):
                self._hear(frames.ETHERTYPE_ARP)
            if any(address.version == 6 for address in addresses):
                self._hear(frames.ETHERTYPE_IPV6)
                self._join([address for address in addresses if isinstance(address, IPv6Address)])
            self._mac = _mac_of(self._sockets[0], device) if self._sockets else b""
        except OSError as error:
            self._open.close()
            raise _cannot(device, error) from error
        except CannotSend:
            self._open.close()
            raise
        self._own = {self._mac, *(mac for mac in map(frames.mac_from, own_macs) if mac is not None)}

    def _hear(self, ethertype: int) -> None:
        heard = self._open.enter_context(_open(self._device, bind=False))
        if ethertype == frames.ETHERTYPE_IPV6:
            _attach(heard, _NEIGHBOURS_ONLY)
        # Bound only now: else it would fill up with the traffic of the whole router before the filter is there.
        heard.bind((self._device, ethertype))
        heard.settimeout(0)
        self._sockets.append(heard)

    def _join(self, addresses: Collection[IPv6Address]) -> None:
        """Be in the groups in which others who want these addresses ask for them (RFC 4862, 5.4.2)."""
        member = self._open.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        index = socket.if_nametoindex(self._device)
        for group in {frames.solicited_node(address) for address in addresses}:
            # Where it is not possible, those who have an address are heard still: they answer to all nodes.
            with contextlib.suppress(OSError):
                member.setsockopt(socket.IPPROTO_IPV6, _IPV6_JOIN_GROUP, struct.pack("=16sI", group.packed, index))

    def __enter__(self) -> "Listener":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more."""
        self._open.close()

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that become readable when somebody speaks."""
        return tuple(each.fileno() for each in self._sockets)

    def ask(self, addresses: Collection[Address]) -> None:
        """Ask who has these addresses, without claiming them. Raises CannotSend."""
        try:
            for address in addresses:
                self._sockets[0].send(frames.question(address, self._mac))
        except OSError as error:
            raise _cannot(self._device, error) from error

    def conflicts(self) -> tuple[Conflict, ...]:
        """Return who claimed one of the addresses since the last call, each once. Raises CannotSend."""
        found: dict[Conflict, None] = {}
        for heard in self._sockets:
            for _ in range(_FRAMES_AT_ONCE):
                try:
                    frame = heard.recv(_FRAME_MAX)
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno == errno.ENETDOWN:
                        continue  # said once; when the interface is up again, the socket hears again
                    raise _cannot(self._device, error) from error
                claim = frames.claim_of(frame)
                if claim is None or claim[0] not in self._addresses:
                    continue
                address, kind, mac = claim
                # The second: a network that sends our own frames back to us.
                if mac not in self._own and frame[6:12] not in self._own:
                    found[Conflict(self._device, address, kind, frames.mac_text(mac))] = None
        return tuple(found)


async def find_conflicts(
    carried: Collection[Carried],
    own_macs: Collection[str] = (),
    questions: int = QUESTIONS,
    wait_s: float = ANSWER_WAIT_S,
) -> Asked:
    """Ask, on all interfaces at once, whether somebody has these addresses; for at most questions × wait_s seconds.

    Who wants to claim an address calls it before. Whether a conflict forbids the claim is for the caller to say.
    """
    by_device: dict[str, list[Address]] = {}
    for each in carried:
        by_device.setdefault(each.device, []).append(each.address)
    tasks: list[asyncio.Task[Asked]] = []
    async with asyncio.TaskGroup() as group:
        for device, addresses in by_device.items():
            asking = _find_on(device, addresses, own_macs, questions, wait_s)
            tasks.append(group.create_task(asking, name=f"ask for addresses on {device}"))
    answers = [task.result() for task in tasks]
    return Asked(
        tuple(conflict for answer in answers for conflict in answer.conflicts),
        tuple(trouble for answer in answers for trouble in answer.troubles),
    )


async def _find_on(
    device: str, addresses: Collection[Address], own_macs: Collection[str], questions: int, wait_s: float
) -> Asked:
    found: dict[Conflict, None] = {}
    loop = asyncio.get_running_loop()
    spoken = asyncio.Event()
    try:
        with Listener(device, addresses, own_macs) as listener, contextlib.ExitStack() as readers:
            for descriptor in listener.descriptors():
                loop.add_reader(descriptor, spoken.set)
                readers.callback(loop.remove_reader, descriptor)
            for _ in range(questions):
                open_ones = set(addresses) - {each.address for each in found}
                listener.ask(sorted(open_ones, key=str))
                ends_at = loop.time() + wait_s
                while open_ones:
                    spoken.clear()
                    found.update(dict.fromkeys(listener.conflicts()))
                    open_ones -= {each.address for each in found}
                    try:
                        async with asyncio.timeout_at(ends_at):
                            if open_ones:
                                await spoken.wait()
                    except TimeoutError:
                        break
    except CannotSend as error:
        return Asked(tuple(found), (str(error),))
    return Asked(tuple(found))


def _open(device: str, bind: bool = True) -> socket.socket:
    """Return a socket for whole frames; it hears nothing (protocol 0) until it is bound to a protocol."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        link.settimeout(SEND_LIMIT_S)
        if bind:
            link.bind((device, 0))
    except OSError:
        link.close()
        raise
    return link


def _mac_of(link: socket.socket, device: str) -> bytes:
    """Return the hardware address of the interface that a socket is bound to. Raises CannotSend."""
    _, _, _, hardware, mac = link.getsockname()
    if hardware != _ARPHRD_ETHER or len(mac) != 6:
        raise CannotSend(f"{device} is not like Ethernet: nobody looks for addresses with ARP there.")
    return bytes(mac)


def _attach(heard: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    words = struct.pack("@HP", len(program), ctypes.addressof(code))  # struct sock_fprog of linux/filter.h
    heard.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, words)


def _forwards(device: str) -> bool:
    """Say whether this machine is a router for IPv6 there: its advertisements must say what the kernel's own say."""
    try:
        return Path("/proc/sys/net/ipv6/conf", device, "forwarding").read_text().strip() != "0"
    except OSError:
        return False


def _cannot(device: str, error: OSError) -> CannotSend:
    match error.errno:
        case errno.EPERM | errno.EACCES:
            return CannotSend(
                f"Frames on {device} are not permitted. Do it as root, or give the program the capability CAP_NET_RAW."
            )
        case errno.ENODEV | errno.ENXIO:
            return CannotSend(f"There is no interface {device} on this router. Make it, or name another one.")
        case errno.ENETDOWN:
            return CannotSend(f"{device} is down: no frame leaves it.")
        case errno.ENOBUFS | errno.EAGAIN | None:
            return CannotSend(f"{device} takes no frames: it has no carrier, or too much to send.")
        case errno.EAFNOSUPPORT:
            return CannotSend("This kernel has no packet sockets (CONFIG_PACKET): no address can be announced.")
        case _:
            return CannotSend(f"{device} does not take the frame: {error.strerror}.")
