"""The addresses of a pulse that is no more: what is ours goes, nothing else does."""

import logging
from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from piranha.errors import PiranhaError
from piranha.ipvs.addresses import AddressStep, Held, Link, Outcome, Present, PresentAddress, RemoveAddress
from piranha.paths import Paths
from piranha.pulse import address_store, leftovers
from piranha.system.addresses import Applied

OURS, OTHER = (Held("eth0", ip_address(f"192.0.2.{number}"), 24) for number in (1, 11))


class Machine:
    def __init__(self) -> None:
        self.held = [OTHER, OURS]
        self.refuses = self.unreadable = ""

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self) -> Present:
        if self.unreadable:
            raise PiranhaError(self.unreadable)
        link = Link("eth0", 2, "02:00:00:00:00:02", True, True, True, False)
        return Present({"eth0": link}, tuple(PresentAddress(each, "") for each in self.held))

    def apply_all(self, steps: Iterable[AddressStep]) -> list[Applied]:
        done = []
        for step in steps:
            assert isinstance(step, RemoveAddress)
            if self.refuses:
                done.append(Applied(step, Outcome.REFUSED, self.refuses))
            else:
                self.held.remove(step.held)
                done.append(Applied(step, Outcome.DONE))
        return done


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(leftovers, "RouterAddresses", lambda: made)
    return made


def test_what_a_dead_pulse_claimed_goes_and_is_forgotten(paths: Paths, machine: Machine) -> None:
    address_store.write(paths, {OURS})
    leftovers.remove_addresses(paths)
    assert machine.held == [OTHER] and address_store.read(paths) == frozenset()


def test_without_a_note_nothing_is_touched(paths: Paths, machine: Machine) -> None:
    leftovers.remove_addresses(paths)
    assert machine.held == [OTHER, OURS]


def test_what_cannot_be_removed_is_said_and_stays_noted(
    paths: Paths, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    address_store.write(paths, {OURS})
    machine.refuses = "The kernel refuses it."
    leftovers.remove_addresses(paths)
    assert address_store.read(paths) == {OURS} and "The kernel refuses it." in caplog.text
    assert [each.levelno for each in caplog.records] == [logging.ERROR]


def test_a_machine_that_cannot_be_read_is_said_and_costs_nothing(
    paths: Paths, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    address_store.write(paths, {OURS})
    machine.unreadable = "The addresses cannot be read."
    leftovers.remove_addresses(paths)
    assert address_store.read(paths) == {OURS}
    assert "may be still here: The addresses cannot be read." in caplog.text
