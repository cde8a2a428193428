"""100,000 datagrams that nobody should believe: no state changes, each is counted, memory stays as it is."""

import pickle
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random

import pytest

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import LENGTH, Heartbeat, Rejected, Said, Trailer, encode
from piranha.ha.failover import Send
from piranha.ha.machine import Tell
from piranha.ha.states import Role, State
from piranha.ha.uncounted import SOURCES_MOST
from tests.ha.scenes import Scene

PARTNER = IPv4Address("10.9.0.1")
MANY = 100_000


def fuzzed(random: Random, recorded: list[bytes]) -> bytes:
    """Return a datagram that must not count: random, mutated, replayed, of a foreign key, or bare."""
    kind = random.randrange(5)
    if kind == 0:
        return random.randbytes(random.choice((0, 3, 4, 20, LENGTH, 2000)))
    if kind == 1:
        raw = bytearray(random.choice(recorded))
        raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
        return bytes(raw)
    if kind == 2:
        return random.choice(recorded)
    if kind == 3:
        trailer = Trailer(
            random.choice(list(State)),
            random.choice(list(Role)),
            random.getrandbits(64) or 1,
            random.getrandbits(64),
            random.randrange(1, 1000),
            random.randrange(1000),
        )
        return encode(Heartbeat(random.choice(list(Said)), trailer), random.randbytes(32))
    return encode(Heartbeat(random.choice(list(Said)), is_big_endian=random.random() < 0.5)) + bytes(
        random.randrange(20)
    )


@pytest.mark.parametrize("active", ["P", "B"])
def test_nothing_forged_or_repeated_changes_anything(active: str) -> None:
    scene = Scene().settled(active)
    failover = scene.backup.failover
    assert failover is not None
    recorded = [raw for _, _, _, raw in scene.wire.sent]
    before, state = sum(failover.rejected.values()), failover.node
    random = Random(6)
    sizes: list[int] = []
    lines: list[str] = []
    for number in range(MANY // 2):
        raw = fuzzed(random, recorded)
        source = PARTNER if random.random() < 0.9 else IPv4Address(random.getrandbits(32) | 1 << 31)
        for out in failover.receive(raw, source, random.choice(tuple(ChannelName)), scene.now):
            assert isinstance(out, Send | Tell)
            if isinstance(out, Tell):
                assert not out.is_shown, "nobody makes what the operator reads scroll away"
                lines.append(out.sentence)
        if number in (MANY // 10, MANY // 2 - 1):
            sizes.append(len(pickle.dumps(vars(failover))))
    assert replace(failover.node, said=state.said) == state
    assert sum(failover.rejected.values()) - before == MANY // 2, "each is counted, once"
    assert sizes[1] < sizes[0] + 100, "bytes"
    assert 5 < len(lines) < len(Rejected) + SOURCES_MOST, "at one moment"
    scene.run(scene.now + 30)
    assert scene.owners == active
