"""The table as ipvsadm's rules: the corpus against rules written by hand, and every kind of service."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from piranha.config.load import decode, load
from piranha.config.model import HostName
from piranha.ipvs.ipvsadm import IpvsRules, rules_of

DATA = Path(__file__).parents[1] / "data"
CORPUS = sorted((DATA / "corpus").glob("*.cf"))
EXPECTED = sorted((DATA / "ipvsadm").glob("*.rules"))

CANONICAL = r"""
serial_no = 27
network = nat
nat_router = 10.20.0.254 eth1:1
failover mail_relay {
     address = 198.51.100.25 eth0:5
     active = 0
     port = 25
}
virtual shop_http {
     active = 1
     address = 198.51.100.80 eth0:1
     sorry_server = 10.20.0.99
     vip_nmask = 255.255.255.0
     fwmark = 80
     port = 80
     persistent = 300
     pmask = 255.255.255.0
     send = "GET /health HTTP/1.0\r\n\r\n"
     expect = "HTTP"
     load_monitor = none
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     quiesce_server = 1
     server node_a {
         address = 10.20.0.21
         active = 1
         port = 8080
         weight = 2
     }
     server node_b {
         address = 10.20.0.22
         active = 0
         weight = 1
     }
}
virtual names_udp {
     active = 1
     address = 198.51.100.53 eth0:2
     port = 53
     expect = "OK"
     send_program = "/usr/local/bin/check_dns %h %p"
     scheduler = rr
     protocol = udp
     server ns1 {
         address = 10.20.0.31
         active = 1
         weight = 1
     }
}
"""


def told(text: str, **resolved: str) -> IpvsRules:
    names = {HostName(name.replace("_", ".")): ip_address(address) for name, address in resolved.items()}
    return rules_of(load(text).cluster, names or None)


def web(*servers: str, network: str = "nat", **values: object) -> str:
    """Return an lvs.cf with one virtual server: web("10.0.0.1", "10.0.0.2 port = 8080", scheduler="rr")."""
    lines = [f"network = {network}", "virtual web {", "active = 1"]
    lines += [f"{keyword} = {value}" for keyword, value in {"address": "192.0.2.1 eth0:1", **values}.items()]
    for number, server in enumerate(servers, 1):
        address, _, rest = server.partition(" ")
        lines += [f"server s{number} {{", f"address = {address}"]
        lines += [] if "active" in rest else ["active = 1"]
        lines += [*(rest.split(", ") if rest else []), "}"]
    return "\n".join([*lines, "}", ""])


def test_there_are_rules_for_every_file_of_the_corpus_and_no_others():
    assert len(CORPUS) == 10
    assert [file.stem for file in CORPUS] == [file.stem for file in EXPECTED]


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_a_file_of_the_corpus_asks_for_the_rules_that_were_written_by_hand(file):
    rules = rules_of(load(decode(file.read_bytes())).cluster)
    assert "".join(f"{line}\n" for line in rules.lines) == (DATA / "ipvsadm" / f"{file.stem}.rules").read_text()
    assert rules.left_out == ()


def test_6_4_7_the_full_example_asks_for_a_mark_and_a_udp_service():
    assert told(CANONICAL).lines == (
        "-A -f 80 -s wlc -p 300 -M 255.255.255.0",
        "-a -f 80 -r 10.20.0.21:8080 -m -w 2",
        "-A -u 198.51.100.53:53 -s rr",
        "-a -u 198.51.100.53:53 -r 10.20.0.31:53 -m -w 1",
    )


@pytest.mark.parametrize(
    ("network", "destination"),
    [("nat", "10.0.0.1:8080 -m"), ("direct", "10.0.0.1:80 -g"), ("tunnel", "10.0.0.1:80 -i")],
)
def test_only_nat_has_a_destination_with_a_port_of_its_own(network, destination):
    _, line = told(web("10.0.0.1 port = 8080", network=network)).lines
    assert line == f"-a -t 192.0.2.1:80 -r {destination} -w 1"


@pytest.mark.parametrize(
    ("network", "own_port", "destination"),
    [
        ("nat", "", "10.0.0.1:0 -m"),
        ("nat", " port = 8080", "10.0.0.1:8080 -m"),
        ("direct", " port = 8080", "10.0.0.1:0 -g"),
        ("tunnel", "", "10.0.0.1:0 -i"),
    ],
)
def test_a_mark_keeps_the_clients_port_unless_a_server_under_nat_has_its_own(network, own_port, destination):
    lines = told(web(f"10.0.0.1{own_port}", network=network, fwmark=7, persistent=60)).lines
    assert lines == ("-A -f 7 -s wlc -p 60", f"-a -f 7 -r {destination} -w 1")


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({}, ""),
        ({"persistent": 0, "pmask": "255.255.255.0"}, ""),
        ({"pmask": "255.255.255.0"}, ""),
        ({"persistent": 300}, " -p 300"),
        ({"persistent": 300, "pmask": "255.255.255.255"}, " -p 300"),
        ({"persistent": 300, "pmask": "0.0.0.0"}, " -p 300"),
        ({"persistent": 300, "pmask": "255.255.255.128"}, " -p 300 -M 255.255.255.128"),
        ({"persistent": 1, "pmask": "128.0.0.0"}, " -p 1 -M 128.0.0.0"),
    ],
)
def test_a_mask_stands_only_beside_persistence_and_only_where_it_says_something(values, options):
    assert told(web(**values)).lines == (f"-A -t 192.0.2.1:80 -s wlc{options}",)


def test_ipv6_stands_in_brackets_and_has_no_netmask():
    text = web("2001:db8::5 weight = 3", address="2001:db8::1 eth0:1", persistent=60, pmask="255.255.255.0")
    assert told(text).lines == (
        "-A -t [2001:db8::1]:80 -s wlc -p 60",
        "-a -t [2001:db8::1]:80 -r [2001:db8::5]:80 -m -w 3",
    )


@pytest.mark.parametrize("address", ["2001:db8::1 eth0:1", "0.0.0.0 eth0:1"])
def test_a_mark_for_ipv6_says_so(address):
    lines = told(web("2001:db8::5", address=address, fwmark=9, persistent=60, pmask="255.255.255.0")).lines
    assert lines == ("-A -f 9 -6 -s wlc -p 60", "-a -f 9 -6 -r [2001:db8::5]:0 -m -w 1")


@pytest.mark.parametrize("network", ["nat", "direct"])
def test_a_destination_of_the_other_ip_version_is_left_out_with_the_reason(network):
    rules = told(web("10.0.0.1", "2001:db8::5", network=network))
    assert rules.lines[1:] == (f"-a -t 192.0.2.1:80 -r 10.0.0.1:80 {'-m' if network == 'nat' else '-g'} -w 1",)
    ((path, reason),) = rules.left_out
    assert path == "virtual[web]" and "[2001:db8::5]:80 is no IPv4 address" in reason


def test_a_tunnel_may_carry_one_ip_version_in_the_other():
    rules = told(web("10.0.0.1", "2001:db8::5", network="tunnel"))
    assert rules.lines[2] == "-a -t 192.0.2.1:80 -r [2001:db8::5]:80 -i -w 1" and rules.left_out == ()


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"])
def test_every_scheduler_stands_under_its_own_name(scheduler):
    assert told(web(scheduler=scheduler)).lines == (f"-A -t 192.0.2.1:80 -s {scheduler}",)


def test_what_is_not_in_force_asks_for_nothing():
    assert told(web("10.0.0.1").replace("active = 1", "active = 0", 1)).lines == ()
    assert told("service = fos\n" + web("10.0.0.1")).lines == ()
    assert told(web("10.0.0.1 active = 0")).lines == ("-A -t 192.0.2.1:80 -s wlc",)


@pytest.mark.parametrize(
    ("servers", "has_sorry"),
    [((), True), (("10.0.0.1 active = 0",), True), (("10.0.0.1 weight = 0",), True), (("10.0.0.1",), False)],
)
def test_the_sorry_server_stands_there_only_where_nobody_else_serves(servers, has_sorry):
    lines = told(web(*servers, sorry_server="10.0.0.99")).lines
    assert ("-a -t 192.0.2.1:80 -r 10.0.0.99:80 -m -w 1" in lines) is has_sorry


def test_a_weight_of_0_is_a_drained_server_and_stays():
    assert told(web("10.0.0.1 weight = 0")).lines[1] == "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 0"


def test_the_second_of_two_equal_servers_or_services_is_left_out_and_named():
    text = web("10.0.0.1", "10.0.0.1") + web("10.0.0.2").partition("\n")[2]
    rules = told(text)
    assert rules.lines == ("-A -t 192.0.2.1:80 -s wlc", "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1")
    assert [path for path, _ in rules.left_out] == ["virtual[web].server[s2]", "virtual[web#2]"]
    assert all("already" in reason for _, reason in rules.left_out)


def test_a_name_that_nobody_looked_up_is_left_out_and_brings_no_sorry_server():
    rules = told(web("web.example.com", sorry_server="10.0.0.99"))
    assert rules.lines == ("-A -t 192.0.2.1:80 -s wlc",)
    assert rules.left_out == (("virtual[web].server[s1]", "The name web.example.com was not looked up."),)


def test_names_that_were_looked_up_stand_as_addresses_and_the_others_are_said_to_be_missing():
    rules = told(web("a.example", "b.example"), a_example="10.0.0.7")
    assert rules.lines[1] == "-a -t 192.0.2.1:80 -r 10.0.0.7:80 -m -w 1"
    ((path, reason),) = rules.left_out
    assert path == "virtual[web].server[s2]" and "b.example" in reason and "not found" in reason


@pytest.mark.parametrize(
    ("text", "path", "word"),
    [
        (web(fwmark=-1), "virtual[web]", "fwmark: -1"),
        (web(port=70000), "virtual[web]", "port: 70000"),
        (web(persistent=60, pmask="255.0.255.0"), "virtual[web]", "pmask"),
        (web("10.0.0.1 weight = -5"), "virtual[web].server[s1]", "weight: -5"),
        (web("10.0.0.1 port = 0"), "virtual[web].server[s1]", "port: 0"),
    ],
)
def test_a_number_that_no_table_can_hold_is_left_out_and_never_written(text, path, word):
    rules = told(text)
    ((where, reason),) = rules.left_out
    assert where == path and word in reason
    assert len(rules.lines) == (1 if "server" in path else 0)


def test_services_and_destinations_stand_in_file_order():
    text = "network = nat\n"
    for number in (3, 1, 2):
        block = web("10.0.0.9", "10.0.0.5", address=f"192.0.2.{number} eth0:1").partition("\n")[2]
        text += block.replace("virtual web", f"virtual v{number}")
    assert [line.split()[2:4] for line in told(text).lines if line.startswith("-A")] == [
        ["192.0.2.3:80", "-s"],
        ["192.0.2.1:80", "-s"],
        ["192.0.2.2:80", "-s"],
    ]
    assert [line.split()[4] for line in told(text).lines if line.startswith("-a")] == ["10.0.0.9:80", "10.0.0.5:80"] * 3
