"""Lines of a 6.1 kernel's connection table, as they were captured."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from piranha.ipvs.table import DestinationKey
from piranha.system.ipvs_connections import Connection, Wanted, among, connections
from piranha.system.ipvs_socket import KernelUnavailable

HEADING = b"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
V6_CLIENT = b"2001:0db8:0001:0000:0000:0000:0000:0010"
V6_VIP = b"2001:0db8:0002:0000:0000:0000:0000:0100"
V6_SERVER = b"fd00:0003:0000:0000:0000:0000:0000:0021"
LINES = [
    b"UDP C000020A 84C8 C6336464 0035 0A000015 0035 UDP             299\n",
    b"TCP C000020A AE60 C6336464 0051 0A000015 0051 ESTABLISHED     899\n",
    b"TCP C000020B D2CE C6336464 0050 0A000016 0050 FIN_WAIT         12\n",
    b"IP  C000020A 0000 00000009 0000 0A000015 0000 ASSURED          59\n",
    b"TCP C0000200 0000 C6336464 0050 0A000015 0050 ASSURED          59\n",
    b"TCP %b 9814 %b 0050 %b 0050 ESTABLISHED     899\n" % (V6_CLIENT, V6_VIP, V6_SERVER),
    b"IP  %b 0000 0000:000a:0000:0000:0000:0000:0000:0000 0000 %b 0000 NONE  1\n" % (V6_CLIENT, V6_SERVER),
    b"TCP C000020A 0000 C6336464 0014 0A000015 0014 LISTEN          119\n",
    b"UDP C000020A 13C4 C6336464 13C4 0A000015 13C4 UDP             299 sip 1234@example\n",
]


def at(address: str, port: int) -> DestinationKey:
    return DestinationKey(ip_address(address), port)


def found(wanted: Wanted) -> list[int]:
    """Return the numbers of the lines that are wanted."""
    return [place for place, line in enumerate(LINES) if among([line], wanted).shown]


def test_every_kind_of_line_is_understood() -> None:
    shown = among(LINES, Wanted()).shown
    vip, server = at("198.51.100.100", 53), at("10.0.0.21", 53)
    assert shown[0] == Connection("UDP", at("192.0.2.10", 0x84C8), vip, server, "UDP", 299)
    assert shown[2].state == "FIN_WAIT"
    assert shown[3] == Connection(
        "IP", at("192.0.2.10", 0), None, at("10.0.0.21", 0), "ASSURED", 59, is_template=True, fwmark=9
    )
    assert shown[4].is_template and shown[4].virtual == at("198.51.100.100", 80)
    assert shown[5].client == at("2001:db8:1::10", 0x9814) and shown[5].server == at("fd00:3::21", 80)
    assert shown[6].fwmark == 10 and shown[6].is_template and shown[6].virtual is None
    assert shown[8].virtual == at("198.51.100.100", 5060)


def test_an_announced_ftp_data_connection_is_no_template() -> None:
    assert not among(LINES, Wanted()).shown[7].is_template


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        (Wanted(), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (Wanted(client=ip_network("192.0.2.11")), [2]),
        (Wanted(client=ip_network("192.0.2.0/28")), [0, 1, 2, 3, 4, 7, 8]),
        (Wanted(client=ip_network("2001:db8:1::/64")), [5, 6]),
        (Wanted(client=ip_network("2001:db8:1::10")), [5, 6]),
        (Wanted(virtual=ip_address("198.51.100.100"), virtual_port=80), [2, 4]),
        (Wanted(virtual=ip_address("0.0.0.9")), []),
        (Wanted(virtual=ip_address("2001:db8:2::100")), [5]),
        (Wanted(server=ip_address("10.0.0.22")), [2]),
        (Wanted(server=ip_address("fd00:3::21"), server_port=80), [5]),
        (Wanted(state="established"), [1, 5]),
        (Wanted(fwmark=9), [3]),
        (Wanted(fwmark=10), [6]),
        (Wanted(templates=True), [3, 4, 6]),
        (Wanted(templates=False, client=ip_network("192.0.2.10")), [0, 1, 7, 8]),
    ],
)
def test_connections_are_chosen_by_client_virtual_server_real_server_state_and_kind(
    wanted: Wanted, lines: list[int]
) -> None:
    assert found(wanted) == lines


def test_only_the_first_ones_are_kept_and_all_are_counted() -> None:
    answer = among(LINES, Wanted(client=ip_network("192.0.2.0/24")), shown_max=2)
    assert len(answer.shown) == 2
    assert (answer.matching, answer.lines, answer.is_whole) == (7, 9, True)


def test_a_table_without_end_is_left_at_the_limit() -> None:
    def endless() -> "object":
        while True:
            yield LINES[0]

    answer = among(endless(), Wanted(), shown_max=1, lines_max=1000)  # type: ignore[arg-type]
    assert (len(answer.shown), answer.matching, answer.lines, answer.is_whole) == (1, 1000, 1000, False)


@pytest.mark.parametrize("line", [b"\n", b"TCP C000020A\n", b"TCP XYZ 84C8 C6336464 0035 0A000015 0035 UDP 299\n"])
def test_a_line_that_is_not_understood_is_passed_over(line: bytes) -> None:
    answer = among([line, LINES[1]], Wanted())
    assert [each.state for each in answer.shown] == ["ESTABLISHED"]
    assert answer.matching == 1


def test_the_heading_is_no_connection(tmp_path: Path) -> None:
    (tmp_path / "ip_vs_conn").write_bytes(HEADING + LINES[1])
    assert [each.state for each in connections(proc_net=tmp_path).shown] == ["ESTABLISHED"]
    (tmp_path / "ip_vs_conn").write_bytes(b"")
    assert connections(proc_net=tmp_path).shown == ()


def test_without_ipvs_a_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(KernelUnavailable, match="modprobe ip_vs"):
        connections(proc_net=tmp_path)
    (tmp_path / "ip_vs_conn").mkdir()
    with pytest.raises(KernelUnavailable, match="cannot be read"):
        connections(proc_net=tmp_path)


def test_living_connections_are_those_that_not_both_sides_have_closed() -> None:
    line = b"TCP C0000201 1000 C6336464 0050 0A000015 1F90 %-11s     119\n"
    states = [b"SYN_RECV", b"ESTABLISHED", b"FIN_WAIT", b"CLOSE_WAIT", b"LAST_ACK", b"TIME_WAIT", b"CLOSE"]
    lines = [
        *(line % state for state in states),
        b"UDP C0000201 1000 C6336464 0035 0A000015 0035 UDP             119\n",
    ]
    found = [each.state for each in among(lines, Wanted(living=True)).shown]
    assert found == ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "UDP"]
