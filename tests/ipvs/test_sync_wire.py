"""Connections in the words of the kernel's sync, read back with a reader that was written from its header anew."""

import struct
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from piranha.config.model import Forwarding
from piranha.ipvs.sync_wire import MESSAGE_BYTES, Told, messages

FOUR = Told(
    "TCP", "ESTABLISHED", *(ip_address("192.0.2.10"), 40000), *(ip_address("198.51.100.100"), 80),
    *(ip_address("10.0.0.21"), 8080), Forwarding.NAT,
)  # fmt: skip
SIX = replace(
    FOUR, client=ip_address("2001:db8::10"), virtual=ip_address("2001:db8::100"), server=ip_address("fd00::21")
)


def read(message: bytes) -> list[tuple[object, ...]]:
    """Return the entries of a message, and check its head and its length."""
    reserved, sync_id, size, count, version, spare = struct.unpack_from(">BBHBbH", message)
    assert (reserved, version, spare, size) == (0, 1, 0, len(message))
    place, found = 8, []
    for _ in range(count):
        kind, protocol, length = struct.unpack_from(">BBH", message, place)
        assert length >> 12 == 0 and length % 4 == 0 and kind in (0, 1)
        flags, state, *ports = struct.unpack_from(">IHHHH", message, place + 4)
        mark, timeout = struct.unpack_from(">II", message, place + 16)
        each = 16 if kind else 4
        assert length == 24 + 3 * each
        addresses = [
            ip_address(message[at : at + each]) for at in range(place + 24, place + length, each)
        ]  # fmt: skip
        found.append((sync_id, protocol, flags, state, *ports, mark, timeout, *addresses))
        place += length
    assert place == len(message)
    return found


def one(told: Told, sync_id: int = 7) -> tuple[object, ...]:
    (message,) = messages([told], sync_id)
    (entry,) = read(message)
    return entry


def test_a_connection_has_every_number_in_its_place() -> None:
    places = (FOUR.client, FOUR.virtual, FOUR.server)
    assert one(FOUR) == (7, 6, 0, 1, 40000, 80, 8080, 0, 0, *places)
    assert one(replace(SIX, forwarding=Forwarding.DIRECT))[2:4] == (3, 1)
    assert one(SIX)[-3:] == (SIX.client, SIX.virtual, SIX.server)
    assert one(replace(FOUR, forwarding=Forwarding.TUNNEL, protocol="UDP", state="UDP"), 300)[:4] == (44, 17, 2, 0)


def test_what_is_not_established_is_inactive() -> None:
    assert one(replace(FOUR, state="FIN_WAIT"))[2:4] == (0x100, 4)
    assert one(replace(FOUR, state="SYN_RECV"))[2:4] == (0x100, 3)


def test_a_template_says_how_long_it_is_kept_and_its_mark() -> None:
    template = replace(FOUR, client_port=0, state="NONE", is_template=True, timeout_s=300, virtual_port=0)
    assert one(template)[2:9] == (0x1000, 0, 0, 0, 8080, 0, 300)
    assert one(replace(template, protocol="IP", fwmark=9))[1] == 0


def test_what_the_protocol_has_no_words_for_is_left_out() -> None:
    strange = [replace(FOUR, protocol="GRE"), replace(FOUR, server=SIX.server), replace(FOUR, state="WEIRD")]
    assert list(messages(strange, 1)) == []
    assert one(FOUR) == read(next(messages([*strange, FOUR], 7)))[0]


@given(st.lists(st.sampled_from([FOUR, SIX]), max_size=200))
def test_many_are_told_in_their_order_in_messages_that_fit_a_frame(told: list[Told]) -> None:
    sent = list(messages(told, 7))
    assert all(len(each) <= MESSAGE_BYTES for each in sent)
    assert [entry[-1] for each in sent for entry in read(each)] == [each.server for each in told]
