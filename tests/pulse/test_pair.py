"""What lvs says about the pair, as failover and the sockets want it."""

from ipaddress import ip_address

import pytest

from piranha.ha.channels import ChannelName
from piranha.ha.settings import Failback
from piranha.ha.states import Role
from piranha.pulse.messages import ChannelRow
from piranha.pulse.pair import pair_of
from tests.pulse.hearts import ONE, TWO, alone, told

ROWS = (ChannelRow("public", ONE, TWO), ChannelRow("private", "fd00::11", "fd00::12"))


def test_a_pair_is_told_with_its_channels_and_times() -> None:
    pair = pair_of(told(ONE, channels=ROWS, monitors_links=True, port=600, fails_back=True, failback_after_s=7.0))
    settings = pair.settings
    assert (settings.role, settings.has_private, settings.monitors_links, pair.port) == (Role.PRIMARY, True, True, 600)
    assert (settings.keepalive_s, settings.deadtime_s, settings.failback_after_s) == (2.0, 5.0, 7.0)
    assert settings.failback is Failback.AUTO and set(pair.ways) == set(ChannelName)
    assert pair.addresses.own == {ip_address(ONE), ip_address("fd00::11")}
    assert pair.addresses.partner == {ip_address(TWO), ip_address("fd00::12")}


def test_the_backup_without_failback_and_with_an_original_partner() -> None:
    settings = pair_of(told(TWO, partner_is_original=True)).settings
    assert (settings.role, settings.failback) == (Role.BACKUP, Failback.NEVER)
    assert settings.partner_is_original and not settings.has_private


def test_a_router_alone_has_no_channels_and_watches_no_links() -> None:
    pair = pair_of(alone(channels=ROWS, monitors_links=True))
    assert pair.ways == {} and pair.settings.is_alone and not pair.settings.monitors_links


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadtime_s": 2.0},
        {"channels": (ChannelRow("public", "no address", TWO),)},
        {"channels": (ChannelRow("serial", ONE, TWO),)},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        pair_of(told(ONE, **wrong))
