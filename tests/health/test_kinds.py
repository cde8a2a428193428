"""The checks of other kinds: what a table of piranha.toml makes of the check of lvs.cf."""

from dataclasses import replace

import pytest

from piranha.config.check_kinds import CheckKind
from piranha.config.load import load
from piranha.health.check import Check, Http, Tls, check_of
from piranha.health.kinds import Authorities, name_to_ask, of_kind


def check(*lines: str, address: str = "10.0.0.1") -> Check:
    texts = ["virtual web {", "active = 1", "address = 192.0.2.1 eth0:1", "port = 443", "timeout = 4", *lines]
    text = "\n".join([*texts, "server a {", "active = 1", f"address = {address}", "}", "}", ""])
    (virtual,) = load(text).cluster.virtual_servers
    found = check_of(virtual, virtual.servers[0])
    assert isinstance(found, Check), found
    return found


def test_the_rhythm_stays_and_the_conversation_is_another_one() -> None:
    plain = check('send = "quit"', 'expect = "220"', "reentry = 20")
    kind = CheckKind("https", path="/up", host="www.example.com", expect="\u00e4", statuses=((200, 204),))
    made = of_kind(plain, kind, {})
    assert made == replace(
        plain,
        send=None,
        expect=None,
        http=Http(made.http.request if made.http else b"", ((200, 204),), "\u00e4".encode()),
        tls=Tls("www.example.com", warn_days=14),
    )
    assert made.http is not None
    assert made.http.request.split(b"\r\n") == [
        b"GET /up HTTP/1.1",
        b"Host: www.example.com",
        b"User-Agent: piranha",
        b"Accept: */*",
        b"Connection: close",
        b"",
        b"",
    ]


def test_a_program_of_lvs_cf_is_not_run_then() -> None:
    plain = check('send_program = "/bin/check %h"', 'expect = "OK"')
    assert plain.program and of_kind(plain, CheckKind("tls"), {}).program == ()


def test_without_a_kind_and_by_udp_it_is_the_check_of_lvs_cf() -> None:
    assert of_kind(check(), None, {}) == check()
    udp = check("protocol = udp", 'send = "x"')
    assert of_kind(udp, CheckKind("https"), {}) == udp


@pytest.mark.parametrize(
    ("kind", "address", "name", "asked", "host"),
    [
        (CheckKind("https", host="a.example.com"), "10.0.0.1", "a.example.com", "a.example.com", b"a.example.com"),
        (CheckKind("https", host="A.x", server_name="b.x"), "10.0.0.1", "b.x", "b.x", b"A.x"),
        (CheckKind("https"), "10.0.0.1", "10.0.0.1", None, b"10.0.0.1"),
        (CheckKind("https"), "2001:db8::1", "2001:db8::1", None, b"[2001:db8::1]"),
        (CheckKind("https"), "Web1.example.com", "web1.example.com", "web1.example.com", b"Web1.example.com"),
    ],
)
def test_whose_page_and_certificate_it_is(
    kind: CheckKind, address: str, name: str, asked: str | None, host: bytes
) -> None:
    made = of_kind(check(address=address), kind, {})
    assert made.tls is not None and made.http is not None
    assert (made.tls.name, name_to_ask(made.tls)) == (name, asked)
    assert made.http.request.split(b"\r\n")[1].lower() == b"host: " + host.lower()


def test_the_file_goes_with_the_check_where_it_counts() -> None:
    told = {"/ca.pem": Authorities(b"PEM")}
    kind = CheckKind("tls", ca_file="/ca.pem", verifies_name=False)
    assert of_kind(check(), kind, told).tls == Tls("10.0.0.1", True, False, b"PEM", "/ca.pem", "", 14)
    broken = {"/ca.pem": Authorities(trouble="it is broken")}
    assert of_kind(check(), kind, broken).tls == Tls("10.0.0.1", True, False, b"", "/ca.pem", "it is broken", 14)
    assert of_kind(check(), replace(kind, verifies=False), broken).tls == Tls("10.0.0.1", False, False)
    assert of_kind(check(), CheckKind("http", ca_file="/ca.pem"), told).tls is None
