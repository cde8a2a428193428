"""Whether there are two routers, and where they are."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from piranha.config.model import Cluster, HostName
from piranha.engine.role import address_of, has_backup, router_names_of

ONE, TWO = (ip_address(f"198.51.100.{number}") for number in (11, 12))
NAME = HostName("lvs1.example")
PAIR = Cluster(primary=ONE, backup=TWO, is_backup_active=True)


@pytest.mark.parametrize(
    ("cluster", "there_is"),
    [
        (PAIR, True),
        (replace(PAIR, backup=HostName("lvs2.example")), True),
        (replace(PAIR, is_backup_active=False), False),
        (replace(PAIR, backup=None), False),
        (replace(PAIR, backup=ip_address("0.0.0.0")), False),
        (Cluster(), False),
    ],
)
def test_there_is_a_second_router_if_lvs_cf_names_it_and_says_that_it_is_active(
    cluster: Cluster, there_is: bool
) -> None:
    assert has_backup(cluster) is there_is


def test_a_router_is_where_its_address_is_or_its_name_leads() -> None:
    assert address_of(ONE, {}) == ONE and address_of(None, {}) is None
    assert address_of(NAME, {NAME: TWO}) == TWO and address_of(NAME, {}) is None


def test_names_of_routers_are_asked_for_where_there_are_two() -> None:
    named = replace(PAIR, primary=NAME, backup_private=HostName("two.private"))
    assert router_names_of(named) == {"lvs1.example", "two.private"}
    assert router_names_of(replace(named, is_backup_active=False)) == set() and router_names_of(PAIR) == set()
