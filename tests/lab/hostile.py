"""Datagrams that do not count, by the ten thousand, to the real pulse: as somebody sends them who has no key.

They seem to come from the partner's address: random ones, changed ones, recordings, such with another key or of another
boot, and bare ones as the original sends them.
"""

import os
import random
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from piranha.ha.datagram import Heartbeat, Rejected, Said, decode, encode
from tests.lab.recording import HEARTBEAT_PORT
from tests.lab.running_pair import told
from tests.lab.running_router import RunningRouter
from tests.lab.topology import Host, Topology

BURST = 60
WORDS = [int(each) for each in Said] + [0xDEADDADA, 0xBEEFBABE, 0xDEADBEEF]
REASONS = {each for each in Rejected if each is not Rejected.VALUE}  # this one needs the key
_IP_TRANSPARENT = 19  # from linux/in.h; Python 3.11 has no name for it
_ALL_PROTOCOLS = 3


def nasty(dice: random.Random, heard: Sequence[bytes], key: bytes, count: int) -> Iterator[bytes]:
    """Yield datagrams of which none may count. `heard`: heartbeats of both routers of before, signed with `key`."""
    other_key = dice.randbytes(32)
    trailers = [found for each in heard if isinstance(found := decode(each, [key]), Heartbeat) and found.trailer]
    assert len(trailers) == len(heard) > 4
    for _ in range(count):
        raw, heartbeat = dice.choice(heard), dice.choice(trailers)
        trailer = heartbeat.trailer
        assert trailer is not None
        word = dice.choice(WORDS).to_bytes(4, dice.choice(["little", "big"]))
        match dice.randrange(10):
            case 0:
                yield dice.randbytes(dice.randrange(200))
            case 1:
                yield word + raw[4:8] * dice.randrange(2) + dice.randbytes(dice.randrange(200))
            case 2:
                changed = bytearray(raw)
                for place in dice.sample(range(len(raw)), dice.randrange(1, 9)):
                    changed[place] ^= 1 << dice.randrange(8)
                yield bytes(changed)
            case 3:
                yield raw[: dice.randrange(len(raw))] if dice.random() < 0.9 else raw + dice.randbytes(1500)
            case 4 | 5:
                yield raw
            case 6 | 7:
                ahead = replace(trailer, sequence=trailer.sequence + dice.randrange(1000))
                yield encode(Heartbeat(dice.choice([Said.RUNNING, Said.STOPPED]), ahead), other_key)
            case 8:  # of another boot: it has the key, and does not know this boot
                nonce = dice.getrandbits(63) | 1
                yield encode(Heartbeat(heartbeat.said, replace(trailer, nonce=nonce, echo_nonce=nonce)), key)
            case _:
                yield word


def heard_by(host: Host) -> list[bytes]:
    """Return the next heartbeats that a router sends and hears, as they are."""
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as ear:
        with host.inside():
            ear.bind((host.device("dmz"), _ALL_PROTOCOLS))
        found: list[bytes] = []
        while len(found) < 8:
            assert select.select([ear], [], [], 20)[0], "heartbeats go on"
            frame = ear.recv(2048)
            is_udp = frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP
            if is_udp and int.from_bytes(frame[36:38], "big") == HEARTBEAT_PORT:
                found.append(frame[42 : 34 + int.from_bytes(frame[38:40], "big")])
        return found


@contextmanager
def wires(lab: Topology, router: Host, partner: Host) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give two sockets towards a router's heartbeats: one with its partner's address on another machine, and one with
    an address of nobody."""
    address = router.address("dmz")
    made = [lab["upstream"].socket(kind=socket.SOCK_DGRAM) for _ in range(2)]
    made[0].setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    made[0].bind((partner.address("dmz"), 0))
    try:
        for each in made:
            each.connect((address, HEARTBEAT_PORT))
        yield made[0], made[1]
    finally:
        for each in made:
            each.close()


def send(router: RunningRouter, said: Sequence[bytes], forged: socket.socket, strange: socket.socket) -> None:
    """Send all, a burst at a time, and every 50th from a stranger's address.

    Before pulse, which would else be woken by each: so it finds many that wait, as from a fast network.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(40))
    try:
        for first in range(0, len(said), BURST):
            burst, before = said[first : first + BURST], taken(router)
            for number, raw in enumerate(burst):
                (forged if number % 50 else strange).send(raw)
            ends_at = time.monotonic() + 10
            while taken(router) - before < len(burst):
                assert time.monotonic() < ends_at, "pulse reads no more"
                select.select([], [], [], 0.001)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def taken(router: RunningRouter) -> int:
    """Return how many datagrams were read on a router, or had no room; those on their way, and those that wait, not."""
    assert router.process is not None
    lines = Path(f"/proc/{router.process.pid}/net/snmp").read_text().splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith("Udp: "))
    found = dict(zip(names, values, strict=True))
    return int(found["InDatagrams"]) + int(found["InErrors"])


def lost(router: RunningRouter) -> int:
    """Return how many datagrams had no room in the socket of a router's heartbeats."""
    assert router.process is not None
    address = socket.inet_aton(router.host.address("dmz"))[::-1].hex().upper()
    for line in Path(f"/proc/{router.process.pid}/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1] == f"{address}:{HEARTBEAT_PORT:04X}":
            return int(words[-1])
    raise AssertionError(f"{router.host.name} does not listen for heartbeats")


def heard(router: RunningRouter) -> int:
    """Return how many heartbeats of the partner counted until now."""
    return sum(each.heard for each in told(router).channels)


def counted(router: RunningRouter) -> int:
    """Return how many datagrams did not count until now."""
    return sum(each.count for each in told(router).rejected)


def memory_kib(router: RunningRouter) -> int:
    """Return how much memory pulse has."""
    assert router.process is not None
    lines = Path(f"/proc/{router.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
