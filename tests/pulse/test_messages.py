"""What pulse and lvs tell each other arrives as it was meant; anything else is no message."""

from ipaddress import IPv4Address, ip_address

import msgspec
import pytest

from piranha.ipvs.addresses import Held, RefusedAddress, WantedAddress
from piranha.pulse.messages import (
    Answer,
    Ask,
    Carried,
    Carry,
    Found,
    FromLvs,
    FromPulse,
    Stand,
    addresses_of,
    decode_from_lvs,
    decode_from_pulse,
    encode,
    refused_of,
    refused_rows_of,
    rows_of,
    wanted_of,
)
from tests.pulse.hearts import ONE, alone, told

WANTED = (
    WantedAddress(Held("eth0", ip_address("192.0.2.1"), 24), "eth0:1", IPv4Address("192.0.2.255"), "virtual[web]"),
    WantedAddress(Held("eth1", ip_address("2001:db8::1"), 64), "", None, "virtual[a b/]#2]"),
)
UNUSABLE = (RefusedAddress("virtual[x]", 'The name "x" is not known.', True),)
FROM_LVS: list[FromLvs] = [
    told(ONE),
    alone(runs=False, idle_reason="There is “nothing”.\n"),
    Carry(3, 7, rows_of(WANTED), refused_rows_of(UNUSABLE), ("192.0.2.9",)),
    Found(False, False, "The table cannot be read.", "ab" * 32, 1, 2, 3, 4),
    Ask(9, "hand over"),
]
FROM_PULSE: list[FromPulse] = [
    Stand(0, 2, True),
    Stand(4, 0, False, "why"),
    Carried(3),
    Answer(9, True, ("one", "two")),
]


@pytest.mark.parametrize("message", FROM_LVS, ids=lambda each: type(each).__name__)
def test_what_lvs_says_arrives_as_it_is_on_one_line(message: FromLvs) -> None:
    raw = encode(message)
    assert decode_from_lvs(raw + b"\n") == message and b"\n" not in raw


@pytest.mark.parametrize("message", FROM_PULSE, ids=lambda each: type(each).__name__)
def test_what_pulse_says_arrives_as_it_is_on_one_line(message: FromPulse) -> None:
    raw = encode(message)
    assert decode_from_pulse(raw + b"\n") == message and b"\n" not in raw


def test_addresses_travel_there_and_back() -> None:
    assert wanted_of(rows_of(WANTED)) == WANTED and refused_of(refused_rows_of(UNUSABLE)) == UNUSABLE
    assert addresses_of(["192.0.2.9", "2001:db8::9"]) == {ip_address("192.0.2.9"), ip_address("2001:db8::9")}


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"\xff\xfe", b"[]", b"{}", b'{"type":"stand","number":1}', b'{"type":"ask","number":"x","command":1}'],
)
def test_garbage_is_no_message(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_from_lvs(line)


def test_what_one_says_the_other_does_not() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_from_pulse(encode(Ask(1, "hold")))


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError):
        addresses_of(["192.0.2"])
