"""Returning clients."""

from ipaddress import ip_address

import pytest

from piranha.ipvs.persistence import Templates, group_of
from piranha.ipvs.table import DestinationKey

WEB1 = DestinationKey(ip_address("10.0.0.1"), 80)
WEB2 = DestinationKey(ip_address("10.0.0.2"), 80)
GROUP = (4, 1)


@pytest.mark.parametrize(
    ("one", "other", "prefix", "together"),
    [
        ("192.0.2.1", "192.0.2.2", 32, False),
        ("192.0.2.1", "192.0.2.254", 24, True),
        ("192.0.2.1", "192.0.3.1", 24, False),
        ("2001:db8::1", "2001:db8::2", 64, True),
        ("2001:db8::1", "2001:db8::2", 128, False),
        ("0.0.0.1", "::1", 32, False),
        ("192.0.2.1", "192.0.2.2", 128, False),
    ],
)
def test_clients_are_grouped_by_the_prefix(one: str, other: str, prefix: int, together: bool) -> None:
    assert (group_of(ip_address(one), prefix) == group_of(ip_address(other), prefix)) is together


def test_a_client_stays_until_its_time_is_over() -> None:
    templates = Templates(60)
    templates.opened(GROUP, WEB1, 0)
    templates.closed(GROUP, WEB1, 10)
    assert templates.destination(GROUP, 69.9) == WEB1
    assert templates.destination(GROUP, 70) is None
    assert templates.destination((4, 2), 0) is None


def test_every_connection_starts_the_time_again() -> None:
    templates = Templates(60)
    for now in (0, 50, 100):
        templates.opened(GROUP, WEB1, now)
        templates.closed(GROUP, WEB1, now)
    assert templates.destination(GROUP, 159) == WEB1


def test_a_template_with_an_open_connection_does_not_expire() -> None:
    templates = Templates(60)
    templates.opened(GROUP, WEB1, 0)
    templates.opened(GROUP, WEB1, 0)
    templates.closed(GROUP, WEB1, 1)
    templates.expire(1000)
    assert templates.destination(GROUP, 1000) == WEB1
    templates.closed(GROUP, WEB1, 1000)
    assert templates.destination(GROUP, 1059) == WEB1
    assert templates.destination(GROUP, 1060) is None


def test_a_new_destination_replaces_the_template_and_old_connections_do_not_touch_it() -> None:
    templates = Templates(60)
    templates.opened(GROUP, WEB1, 0)
    templates.opened(GROUP, WEB2, 1)
    templates.closed(GROUP, WEB1, 2)
    assert templates.destination(GROUP, 1000) == WEB2


def test_what_is_over_is_forgotten() -> None:
    templates = Templates(60)
    for number in range(100):
        templates.opened((4, number), WEB1, number)
        templates.closed((4, number), WEB1, number)
    templates.expire(100)
    assert len(templates) == 59
