"""What was refused is told once, kept while it lasts, and said to be over."""

import logging
from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.engine.refusals import NAMED_MAX, Refusals
from piranha.errors import StepRefused
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Destination,
    DestinationKey,
    EditService,
    RemoveService,
    Service,
    Step,
    TableKey,
)

WEB = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
API = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 81)
RR = Service("rr")


def server(number: int, key: TableKey = WEB) -> AddDestination:
    return AddDestination(key, place(number), Destination(Forwarding.NAT, 1))


def place(number: int) -> DestinationKey:
    return DestinationKey(ip_address(f"10.0.0.{number}"), 80)


def noted(refusals: Refusals, *pairs: tuple[Step, str]) -> tuple[Step, ...]:
    """Take note of steps, each with why it was refused ("" : it was taken)."""
    return refusals.note([step for step, _ in pairs], [StepRefused(why) if why else None for _, why in pairs])


def test_what_hangs_on_a_refused_virtual_server_is_not_told_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    pairs = ((AddService(WEB, RR), "no rr"), (server(1), "no service"), (server(2, API), ""))
    for _ in range(3):
        assert noted(refusals, *pairs) == (server(2, API),)
    assert (refusals.services, refusals.servers) == ({WEB: "no rr"}, {})
    assert caplog.messages == ["no rr"]


def test_a_refused_real_server_is_told_beside_a_refused_change(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    for why in ("no IPv6", "no IPv6", "no memory"):
        noted(refusals, (EditService(WEB, RR), "no mh"), (server(1), why), (server(2), ""))
    assert refusals.services == {WEB: "no mh"}
    assert refusals.servers == {(WEB, place(1)): "no memory"}
    assert caplog.messages == ["no mh", "no IPv6", "no memory"]


def test_of_many_real_servers_a_few_are_named_and_the_rest_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    pairs = [(server(number), f"not {number}") for number in range(1, NAMED_MAX + 3)]
    for _ in range(2):
        noted(refusals, *pairs)
    assert caplog.messages == [
        *(f"not {number}" for number in range(1, NAMED_MAX + 1)),
        "2 more real servers of TCP 192.0.2.1:80 are refused; piranha status says why.",
    ]
    assert len(refusals.servers) == NAMED_MAX + 2


def test_the_end_is_told_once_the_last_refusal_of_a_virtual_server_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusals = Refusals()
    noted(refusals, (server(1), "not 1"), (server(2), "not 2"), (RemoveService(API), "still has 10.0.0.9:80"))
    noted(refusals, (server(1), "not 1"), (server(2), ""), (RemoveService(API), "still has 10.0.0.9:80"))
    assert caplog.messages == ["still has 10.0.0.9:80", "not 1", "not 2"]
    noted(refusals)
    assert sorted(caplog.messages[3:]) == [
        "TCP 192.0.2.1:80: nothing is refused any more.",
        "TCP 192.0.2.1:81: nothing is refused any more.",
    ]
    assert (refusals.services, refusals.servers) == ({}, {})
