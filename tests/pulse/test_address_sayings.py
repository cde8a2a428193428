"""What the log says of the floating addresses: each sentence once, and never too often."""

from ipaddress import ip_address

import pytest

from piranha.ipvs.addresses import Held
from piranha.pulse.address_sayings import GONE_SAID_S, AddressSayings
from piranha.status import AddressState, AddressStatus

HELD = Held("eth0", ip_address("192.0.2.1"), 24)


def refused(sentence: str, source: str = "virtual[web]") -> AddressStatus:
    return AddressStatus("192.0.2.1/24", "eth0", "", source, AddressState.REFUSED, sentence)


def test_a_sentence_is_said_once_and_again_only_after_it_had_ended(caplog: pytest.LogCaptureFixture) -> None:
    sayings = AddressSayings(lambda: 0.0)
    for what in ([refused("No.")], [refused("No.")], [], [refused("No.")]):
        sayings.say(what)
    assert [each.getMessage() for each in caplog.records] == ["virtual[web]: No."] * 2


def test_an_address_that_goes_again_and_again_is_not_said_each_time(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    sayings = AddressSayings(lambda: now)
    sayings.was_gone(HELD)
    now += GONE_SAID_S - 1
    sayings.was_gone(HELD)
    assert len(caplog.records) == 1
    now += 1
    sayings.was_gone(HELD)
    assert len(caplog.records) == 2
