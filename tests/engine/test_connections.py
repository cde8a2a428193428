"""What a question about connections chooses, and what the data path's answer becomes."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from piranha.engine.connections import QueryRefused, asked, choice, limit_of
from piranha.ipvs.table import DestinationKey
from piranha.messages import CONNECTIONS_SHOWN, ConnectionsQuery
from piranha.system.ipvs_connections import Connection, Connections, Wanted
from piranha.system.ipvs_socket import KernelUnavailable
from tests.engine.conftest import TablePath

CLIENT = DestinationKey(ip_address("192.0.2.7"), 40001)
VIP = DestinationKey(ip_address("198.51.100.1"), 80)
SERVER = DestinationKey(ip_address("10.0.0.1"), 8080)
OPEN = Connection("TCP", CLIENT, VIP, SERVER, "ESTABLISHED", 890)


class TellingPath(TablePath):
    """A data path that tells these connections, or raises."""

    def __init__(self, found: Connections | Exception) -> None:
        super().__init__(name="kernel")
        self.found = found
        self.asked: list[tuple[Wanted, int]] = []

    async def connections(self, wanted: Wanted, shown_max: int) -> Connections:
        self.asked.append((wanted, shown_max))
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, {}),
        ({"client": " 192.0.2.7 "}, {"client": ip_network("192.0.2.7/32")}),
        ({"client": "192.0.2.7/24"}, {"client": ip_network("192.0.2.0/24")}),
        ({"client": "2001:db8::/32"}, {"client": ip_network("2001:db8::/32")}),
        ({"vip": "198.51.100.1"}, {"virtual": ip_address("198.51.100.1")}),
        ({"vip": "198.51.100.1:80"}, {"virtual": ip_address("198.51.100.1"), "virtual_port": 80}),
        ({"vip": "2001:db8::1"}, {"virtual": ip_address("2001:db8::1")}),
        ({"vip": "[2001:db8::1]:0"}, {"virtual": ip_address("2001:db8::1"), "virtual_port": 0}),
        ({"vip": "mark 9"}, {"fwmark": 9}),
        ({"vip": "fwmark:4294967295"}, {"fwmark": 4294967295}),
        ({"vip": "FWM 9"}, {"fwmark": 9}),
        ({"server": "[fd00::1]"}, {"server": ip_address("fd00::1")}),
        ({"server": "10.0.0.1:65535"}, {"server": ip_address("10.0.0.1"), "server_port": 65535}),
        ({"state": "established"}, {"state": "ESTABLISHED", "templates": False}),
        ({"state": "Template"}, {"templates": True}),
    ],
)
def test_what_is_written_is_what_is_chosen(query: dict[str, str], wanted: dict[str, Any]) -> None:
    assert choice(ConnectionsQuery(**query)) == Wanted(**wanted)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("client", "web1"),
        ("client", "192.0.2.0/33"),
        ("client", "192.0.2.7:80"),
        ("vip", "198.51.100.1:"),
        ("vip", "198.51.100.1:65536"),
        ("vip", "198.51.100.1:-1"),
        ("vip", "198.51.100.1:\u0661"),
        ("vip", "[198.51.100.1"),
        ("vip", "mark 0"),
        ("vip", "mark 4294967296"),
        ("server", ":80"),
        ("server", "[]:80"),
        ("server", "10.0.0.1:80:80"),
        ("state", "RUNNING"),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "1e3"),
        ("limit", "\u0661"),
        ("limit", "99999999999999999999"),
    ],
)
async def test_what_cannot_be_understood_is_refused_at_its_field_and_nobody_is_asked(field: str, text: str) -> None:
    path = TellingPath(Connections((), 0, 0, True))
    with pytest.raises(QueryRefused) as refused:
        await asked(path, ConnectionsQuery(**{field: text}))
    assert refused.value.keyword == field
    assert path.asked == []


def test_a_long_or_invisible_text_is_not_echoed_whole() -> None:
    with pytest.raises(QueryRefused) as refused:
        choice(ConnectionsQuery(client="\x1b" + "x" * 5000))
    assert len(str(refused.value)) < 200 and str(refused.value).isprintable()


def test_without_a_limit_it_is_the_usual_one() -> None:
    assert (limit_of(""), limit_of(" 7 "), limit_of("1000")) == (CONNECTIONS_SHOWN, 7, 1000)


async def test_a_client_is_told_with_its_server_and_a_template_is_told_apart() -> None:
    template = Connection("TCP", DestinationKey(CLIENT.address, 0), VIP, SERVER, "NONE", 50, True)
    marked = Connection("IP", DestinationKey(CLIENT.address, 0), None, SERVER, "NONE", 50, True, 9)
    path = TellingPath(Connections((OPEN, template, marked), 12, 40, False))
    answer = await asked(path, ConnectionsQuery(limit="3"))
    assert path.asked == [(Wanted(), 3)]
    first, second, third = answer.shown
    assert (first.client, first.client_port, first.virtual, first.server, first.state) == (
        "192.0.2.7",
        40001,
        "198.51.100.1:80",
        "10.0.0.1:8080",
        "ESTABLISHED",
    )
    assert not first.is_template and first.expires_s == 890
    assert second.is_template and second.state == "TEMPLATE"
    assert third.virtual == "firewall mark 9"
    assert (answer.matching, answer.looked_at, answer.is_whole, answer.limit) == (12, 40, False, 3)
    assert answer.source.name == "kernel data path" and answer.source.age_s is not None
    assert answer.problem == ""


async def test_a_data_path_that_cannot_tell_says_so_and_nothing_is_called_empty() -> None:
    answer = await asked(TablePath(), ConnectionsQuery())
    assert "embedded data path does not tell" in answer.problem
    assert answer.source.age_s is None and not answer.is_whole


async def test_a_kernel_that_cannot_be_asked_is_a_problem_with_its_reason() -> None:
    answer = await asked(TellingPath(KernelUnavailable("Load it: modprobe ip_vs.")), ConnectionsQuery())
    assert answer.problem == "Load it: modprobe ip_vs." and answer.shown == ()
