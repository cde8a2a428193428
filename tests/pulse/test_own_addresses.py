"""Which addresses are ours: known after a crash, written once, and claimed also where nothing can be written."""

import logging
from collections.abc import Collection
from ipaddress import ip_address

import pytest

from piranha.errors import ConfigUnavailable
from piranha.ipvs.addresses import Held
from piranha.paths import Paths
from piranha.pulse import address_store
from piranha.pulse.own_addresses import OwnAddresses
from piranha.said_once import SaidOnce

OURS = frozenset({Held("eth0", ip_address("192.0.2.1"), 24)})


@pytest.fixture
def troubles() -> SaidOnce:
    return SaidOnce(logging.getLogger("pulse"))


def test_the_next_run_knows_them(paths: Paths, troubles: SaidOnce) -> None:
    own = OwnAddresses(paths, troubles)
    assert own.held == frozenset()
    own.held = OURS
    own.write()
    assert OwnAddresses(paths, troubles).held == OURS and troubles.sentences == ()


def test_what_did_not_change_is_not_written_again(
    paths: Paths, troubles: SaidOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Collection[Held]] = []
    monkeypatch.setattr(address_store, "write", lambda paths, held: written.append(held))
    own = OwnAddresses(paths, troubles)
    own.write()
    own.held = OURS
    own.write()
    own.write()
    assert written == [OURS]


def test_what_cannot_be_written_or_read_is_told_and_tried_again(
    paths: Paths, troubles: SaidOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> frozenset[Held]:
        raise ConfigUnavailable("The disk is full.")

    own = OwnAddresses(paths, troubles)
    with monkeypatch.context() as patch:
        patch.setattr(address_store, "write", refuses)
        own.held = OURS
        own.write()
        assert troubles.sentences[0].startswith("The disk is full. After a crash")
    own.write()
    assert troubles.sentences == () and address_store.read(paths) == OURS
    with monkeypatch.context() as patch:
        patch.setattr(address_store, "read", refuses)
        assert OwnAddresses(paths, troubles).held == frozenset()
    assert troubles.sentences == ("The disk is full.",)
