"""Which addresses are ours, on the disk."""

from ipaddress import ip_address

import pytest

from piranha.errors import ConfigUnavailable
from piranha.ipvs.addresses import Held
from piranha.paths import Paths
from piranha.pulse import address_store

OWNED = frozenset({Held("eth0", ip_address("192.0.2.1"), 32), Held("eth1", ip_address("2001:db8::1"), 128)})


def test_what_is_written_is_read_by_the_next_run(paths: Paths) -> None:
    assert address_store.read(paths) == frozenset()
    address_store.write(paths, OWNED)
    assert address_store.read(paths) == OWNED
    address_store.write(paths, frozenset())
    assert address_store.read(paths) == frozenset()


def test_after_a_reboot_nothing_is_ours(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    address_store.write(paths, OWNED)
    monkeypatch.setattr(address_store, "boot_id", lambda: "another")
    assert address_store.read(paths) == frozenset()


def test_a_damaged_file_makes_nothing_ours_that_is_not_surely_so(paths: Paths) -> None:
    address_store.write(paths, OWNED)
    place = paths.run / address_store.NAME
    place.write_bytes(place.read_bytes() + b"\xff\xfe eth0 nonsense\neth9 192.0.2.9")
    assert address_store.read(paths) == OWNED
    place.write_bytes(b"eth0 192.0.2.1/32\n")
    assert address_store.read(paths) == frozenset()


def test_what_cannot_be_read_or_written_is_a_sentence_with_what_to_do(paths: Paths) -> None:
    (paths.run / address_store.NAME).mkdir()
    with pytest.raises(ConfigUnavailable, match="remove those addresses by hand"):
        address_store.read(paths)
    with pytest.raises(ConfigUnavailable, match="Move away what stands there"):
        address_store.write(paths, OWNED)
