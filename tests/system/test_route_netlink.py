"""The netlink socket: what needs no privilege is asked of this machine's kernel, answers are read byte for byte."""

import struct

import pytest

from piranha.ipvs.addresses import Held
from piranha.system import route_netlink as netlink
from piranha.system.route_netlink import Refused, RouteSocket


def test_every_interface_is_read_and_one_can_be_asked_for_by_name() -> None:
    with RouteSocket() as route:
        links = [netlink.read_link(data)[0] for _, data in route.dump(netlink.links_request())]
        (_, data), *_ = route.dump(netlink.links_request("lo"))
    lo = next(link for link in links if link.name == "lo")
    assert netlink.read_link(data)[0].index == lo.index
    assert (lo.is_loopback, lo.announces) == (True, False)


def test_an_interface_that_is_not_there_is_refused_with_the_kernel_s_code() -> None:
    with RouteSocket() as route, pytest.raises(Refused) as refused:
        route.dump(netlink.links_request("nosuchdevice0"))
    assert refused.value.code == 19


def test_all_requests_are_answered_in_their_order_whatever_becomes_of_the_ones_before() -> None:
    no_such = netlink.links_request("nosuchdevice0")
    good = netlink.links_request("lo")
    with RouteSocket() as route:
        answers = route.ask([no_such, good, no_such, good])
    assert [answer is None for answer in answers] == [False, True, False, True]


def test_a_watch_that_has_nothing_to_tell_does_not_wait() -> None:
    with RouteSocket(netlink.RTMGRP_LINK) as route:
        assert route.changes() == []


@pytest.mark.parametrize("is_capped", [True, False])
def test_a_refusal_carries_the_words_of_the_kernel(is_capped: bool) -> None:
    words = netlink.attribute(1, b"Address already assigned\0")
    echoed = b"" if is_capped else bytes(8)
    request = netlink.HEADER.pack(netlink.HEADER.size + 8, netlink.RTM_NEWADDR, 0, 7, 0) + echoed
    flags = netlink.NLM_F_ACK_TLVS | (netlink.NLM_F_CAPPED if is_capped else 0)
    body = struct.pack("=i", -17) + request + words
    message = netlink.HEADER.pack(netlink.HEADER.size + len(body), netlink.NLMSG_ERROR, flags, 7, 0) + body
    refused = netlink._refused(flags, message)
    assert refused is not None
    assert (refused.code, refused.says) == (17, "Address already assigned")
    assert str(refused) == "File exists (Address already assigned)"


def test_an_attribute_is_padded_to_four_bytes() -> None:
    assert netlink.attribute(3, b"lo\0") == struct.pack("=HH", 7, 3) + b"lo\0\0"


def test_an_address_is_read_as_it_was_written() -> None:
    made = netlink.address_message(
        netlink.RTM_NEWADDR,
        netlink.NLM_F_ACK,
        {"family": 2, "prefixlen": 24, "index": 3},
        {"IFA_LOCAL": "192.0.2.100", "IFA_ADDRESS": "192.0.2.100", "IFA_LABEL": "eth0:1", "IFA_FLAGS": 1},
    )
    assert made[:16] == netlink.HEADER.pack(len(made), 20, 5, 0, 0)
    assert made[16:24] == bytes([2, 24, 0, 0, 3, 0, 0, 0])
    assert made[24:40] == bytes.fromhex("08000200c0000264 08000100c0000264")
    address = netlink.read_address(made, "eth0")
    assert address is not None
    assert (str(address.held), address.label, address.is_secondary) == ("192.0.2.100/24 on eth0", "eth0:1", True)
    assert netlink.index_of_address(made) == 3


def test_the_same_bit_says_something_else_of_an_ipv6_address() -> None:
    fields = {"family": 10, "prefixlen": 128, "index": 3}
    made = netlink.address_message(netlink.RTM_NEWADDR, 0, fields, {"IFA_ADDRESS": "2001:db8::1", "IFA_FLAGS": 1})
    address = netlink.read_address(made, "eth0")
    assert address is not None
    assert address.held == Held("eth0", address.held.address, 128)
    assert not address.is_secondary
