"""Drains and weights set by hand: which one counts, and when one is over."""

from ipaddress import ip_address

import pytest

from piranha.config.load import load
from piranha.config.model import RealServerKey
from piranha.health.overrides import Override, next_number, over, weight_by_hand, with_override

WEB = "TCP  192.0.2.1:80"


def key(address: str = "10.0.0.1", port: int = 80) -> RealServerKey:
    text = "virtual web {\n active = 1\n address = 192.0.2.1 eth0:1\n port = 80\n}\n"
    service = load(text).cluster.virtual_servers[0].key
    assert service is not None
    return RealServerKey(service, ip_address(address), port)


def override(number: int = 1, kind: str = "drain", weight: int = 0, until: float | None = None, **scope) -> Override:
    place = {"service": str(key().service), "address": "10.0.0.1", "port": 80} | scope
    return Override(number, kind, weight=weight, who="a", from_address="", since="", until=until, **place)


def test_a_drain_beats_a_weight_and_a_later_weight_an_earlier_one():
    weights = (override(1, "weight", 5), override(2, "weight", 9, service="", port=0))
    assert weight_by_hand(key(), weights) == 9
    assert weight_by_hand(key(), (*weights, override(3))) == 0
    assert weight_by_hand(key("10.0.0.2"), weights) is None


def test_a_new_one_replaces_that_of_its_kind_and_scope_and_its_end_too():
    first, other = override(1, until=100.0), override(2, "weight", 4)
    again = override(next_number((first, other)))
    assert with_override((first, other), again) == (other, again)
    assert again.number == 3 and again.until is None


@pytest.mark.parametrize(
    ("until", "now", "is_over"), [(None, 1e12, False), (100.0, 99.9, False), (100.0, 100.0, True), (100.0, 1e9, True)]
)
def test_one_with_an_end_is_over_then_and_one_without_never(until, now, is_over):
    here = override(until=until)
    assert here.is_over(now) is is_over
    assert over((override(2), here), now) == ((here,) if is_over else ())
