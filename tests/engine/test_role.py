"""Which of two routers this one is."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from piranha.config.model import Cluster, HostName
from piranha.engine.role import ACTIVE, LOOKS_EVERY_S, Role, has_backup, standing_of
from piranha.errors import PiranhaError

ONE, TWO, OTHER = (ip_address(f"198.51.100.{number}") for number in (11, 12, 13))
PAIR = Cluster(primary=ONE, backup=TWO, is_backup_active=True)


@pytest.mark.parametrize(
    "cluster",
    [
        replace(PAIR, is_backup_active=False),
        replace(PAIR, backup=None),
        replace(PAIR, backup=ip_address("0.0.0.0")),
    ],
)
def test_without_a_backup_router_this_one_is_active(cluster):
    assert not has_backup(cluster)
    assert standing_of(cluster, {}, [OTHER]) == ACTIVE


@pytest.mark.parametrize(("here", "words"), [(TWO, "is the backup and stays passive"), (OTHER, "neither the address")])
def test_with_one_only_the_primary_is_active(here, words):
    assert standing_of(PAIR, {}, [here, ONE]) == ACTIVE
    standing = standing_of(PAIR, {}, [here])
    assert not standing.is_active and words in standing.reason


def test_a_primary_that_nobody_knows_makes_no_router_active():
    named = replace(PAIR, primary=HostName("lvs1.example"))
    assert "lvs1.example was not found" in standing_of(named, {}, [ONE]).reason
    assert standing_of(named, {HostName("lvs1.example"): ONE}, [ONE]) == ACTIVE
    assert "has no primary" in standing_of(replace(PAIR, primary=None), {}, [ONE]).reason


class Machine:
    """A machine with addresses and a clock."""

    def __init__(self, *addresses):
        self.addresses, self.time, self.looks, self.trouble = addresses, 100.0, 0, ""

    def here(self):
        self.looks += 1
        if self.trouble:
            raise PiranhaError(self.trouble)
        return self.addresses

    @property
    def role(self):
        return Role(self.here, lambda: self.time)


def test_an_active_router_stays_so_while_its_address_is_gone_and_lvs_cf_is_the_same():
    machine = Machine(ONE)
    role = machine.role
    assert role.of(PAIR, {}).is_active
    machine.addresses, machine.time = (), 1000.0
    assert role.of(PAIR, {}).is_active
    assert not role.of(replace(PAIR, primary=TWO, backup=ONE), {}).is_active


def test_a_passive_router_looks_again_now_and_then():
    machine = Machine()
    role = machine.role
    assert not role.of(PAIR, {}).is_active
    machine.addresses = (ONE,)
    assert not role.of(PAIR, {}).is_active and machine.looks == 1
    machine.time += LOOKS_EVERY_S
    assert role.of(PAIR, {}).is_active


def test_a_router_that_cannot_read_its_addresses_stays_passive_and_tries_again():
    machine = Machine(ONE)
    role = machine.role
    machine.trouble = "The addresses cannot be read."
    assert "cannot be read" in role.of(PAIR, {}).reason
    machine.trouble = ""
    assert role.of(PAIR, {}).is_active


def test_a_router_alone_needs_to_know_no_address():
    machine = Machine()
    assert machine.role.of(Cluster(), {}) == ACTIVE and machine.looks == 0
