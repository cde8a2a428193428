"""The keys of the table in words."""

from ipaddress import ip_address

import pytest

from piranha.config.model import Protocol
from piranha.ipvs.table import TableKey


@pytest.mark.parametrize(
    ("key", "version", "shown", "words"),
    [
        (TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80), 4, "TCP  192.0.2.1:80", "TCP 192.0.2.1:80"),
        (TableKey(Protocol.UDP, ip_address("2001:db8::1"), 53), 6, "UDP  [2001:db8::1]:53", "UDP [2001:db8::1]:53"),
        (TableKey(fwmark=9), 4, "FWM  9", "firewall mark 9"),
        (TableKey(fwmark=9, mark_version=6), 6, "FWM  9 IPv6", "firewall mark 9 for IPv6"),
    ],
)
def test_a_key_tells_its_ip_version_and_stands_in_tables_and_sentences(
    key: TableKey, version: int, shown: str, words: str
) -> None:
    assert (key.version, str(key), key.words) == (version, shown, words)
