"""How failover stands, as the status tells it."""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from piranha.pulse.links import Carrying
from piranha.pulse.messages import Ask
from piranha.pulse.telling import redundancy
from piranha.router_status import RedundancyStatus
from tests.pulse.hearts import ONE, TWO, D, K, Router, Two


def status(router: Router, link: Carrying | None = None, trouble: tuple[str, ...] = ()) -> RedundancyStatus:
    heart = router.heart
    assert heart.failover is not None
    link = link or Carrying("eth0", True)
    return redundancy(
        heart.failover,
        heart.wires,
        lambda address: link,
        heart.said,
        trouble,
        lambda at: f"at {at:.0f}",
        router.clock(),
    )


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    made = Two()
    made.pass_on()
    made.go(3 * K)
    yield made
    made.close()


async def test_both_tell_the_same_story(two: Two) -> None:
    one, other = status(two.one), status(two.two)
    assert (one.role, one.state, other.role, other.state) == ("primary", "active", "backup", "passive")
    assert one.partner is not None and other.partner is not None
    assert (one.partner.address, one.partner.state, one.partner.role) == (TWO, "passive", "backup")
    assert (other.partner.address, other.partner.state, other.partner.kind) == (ONE, "active", "new")
    assert one.partner.is_ready and one.partner.has_same_config and not one.partner.is_authentic
    assert (one.keepalive_s, one.deadtime_s, one.has_key) == (K, D, False)
    assert one.said[0].sentence and [each.at for each in one.said] == sorted(
        (each.at for each in one.said), reverse=True
    )


async def test_a_channel_tells_its_addresses_its_link_and_what_is_lost(two: Two) -> None:
    (channel,) = status(two.one, Carrying("eth7", False)).channels
    assert (channel.name, channel.own, channel.partner) == ("public", ONE, TWO)
    assert (channel.device, channel.link, channel.loss) == ("eth7", "down", 0.0)
    assert channel.heard > 0 and channel.heard_s_ago is not None and channel.heard_s_ago <= K
    assert status(two.one, Carrying()).channels[0].link == "unknown"


async def test_a_silent_partner_is_unknown(two: Two) -> None:
    two.network.is_cut = True
    two.go(2 * D)
    partner = status(two.two).partner
    assert partner is not None and partner.state == "unknown" and partner.heard_s_ago is not None
    assert partner.heard_s_ago >= D and status(two.two).state == "active"


async def test_a_partner_that_was_never_heard_is_nothing_but_its_address() -> None:
    two = Two()
    two.network.is_cut = True
    partner = status(two.one).partner
    assert partner is not None and (partner.address, partner.heard_s_ago) == (TWO, None)
    two.close()


async def test_what_did_not_count_is_told_with_its_reason(two: Two) -> None:
    there = two.network.sockets[ONE, 539]
    there.waiting += [(b"x", ip_address(TWO)), (b"yyyy", ip_address("203.0.113.9"))]
    two.one.heart.readable()
    told = {each.reason: each.count for each in status(two.one).rejected}
    assert told["shorter than 4 bytes"] == 1 and told["not from an address of the partner"] == 1
    assert 0 not in told.values()


async def test_troubles_are_told_and_so_is_what_an_operator_asked_for(two: Two) -> None:
    two.two.heart.asked(Ask(1, "hold"))
    told = status(two.two, trouble=("The key cannot be read.",))
    assert told.trouble == ("The key cannot be read.",) and told.state == "held"
