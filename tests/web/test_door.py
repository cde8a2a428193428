"""Whose request it is behind proxies, how many an address may make, and the headers on every answer."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from piranha.paths import Paths
from piranha.web import create_app
from piranha.web.client_address import ForwardedFault, client_of
from piranha.web.throttle import REQUESTS_AT_ONCE, REQUESTS_PER_S, RequestRate
from tests.web.conftest import COMPILED, PASSWORD, Clock, InProcessBrowser, KeeperClient, KeeperEngine

PROXY, SECOND_PROXY, CLIENT = "192.0.2.1", "2001:db8::1", "198.51.100.9"
PROXIES = (ip_network("192.0.2.0/28"), ip_network("2001:db8::1"), ip_network("127.0.0.1"))
LOOPBACK_ONLY = "Order deny,allow\nDeny from all\nAllow from 127.0.0.1\n"
ONLY_CLIENT = f"Order deny,allow\nDeny from all\nAllow from {CLIENT}\n"

FORWARDED = [
    # peer, header, who it is
    (CLIENT, None, CLIENT),
    (CLIENT, "127.0.0.1", CLIENT),
    (CLIENT, "nonsense", CLIENT),
    (PROXY, None, PROXY),
    (PROXY, CLIENT, CLIENT),
    (PROXY, f"127.0.0.2, {CLIENT}", CLIENT),
    (PROXY, f"nonsense, {CLIENT}", CLIENT),
    (PROXY, f"{CLIENT}, {SECOND_PROXY}", CLIENT),
    (PROXY, f"203.0.113.5,{CLIENT} ,\t{SECOND_PROXY},192.0.2.9", CLIENT),
    (PROXY, f"{SECOND_PROXY}, 192.0.2.15", SECOND_PROXY),
    (PROXY, "2001:db8:9::5", "2001:db8:9::5"),
    (PROXY, "2001:DB8:9:0::5", "2001:db8:9::5"),
    (PROXY, f"::ffff:{CLIENT}", CLIENT),
    (f"::ffff:{PROXY}", CLIENT, CLIENT),
    (f"::ffff:{CLIENT}", "127.0.0.1", CLIENT),
    ("fe80::1%eth0", None, "fe80::1"),
    (SECOND_PROXY, CLIENT, CLIENT),
]
GARBAGE = [
    "",
    "nonsense",
    "unknown",
    f"{CLIENT},",
    f"{CLIENT}, ,{SECOND_PROXY}",
    f"{CLIENT}:4711",
    "[2001:db8:9::5]",
    "fe80::1%eth0",
    "198.51.100.9/32",
    "198.51.100",
    "0198.51.100.9",
    "198.51.100.9 198.51.100.8",
    f"{CLIENT}, unknown",
    "x" * 8000,
]


@pytest.mark.parametrize(("peer", "header", "client"), FORWARDED)
def test_the_client_is_the_rightmost_address_that_is_no_proxy_of_ours(
    peer: str, header: str | None, client: str
) -> None:
    assert client_of(peer, header, PROXIES) == client


@pytest.mark.parametrize("header", GARBAGE)
def test_a_proxy_that_names_no_client_is_not_guessed_at(header: str) -> None:
    with pytest.raises(ForwardedFault):
        client_of(PROXY, header, PROXIES)
    assert client_of(CLIENT, header, PROXIES) == CLIENT


@given(st.lists(st.ip_addresses().map(str), max_size=5), st.ip_addresses(), st.lists(st.sampled_from(["192.0.2.3"])))
def test_what_a_client_writes_into_the_header_changes_nothing(
    invented: list[str], client: object, between: list[str]
) -> None:
    address = ip_address(str(client))
    header = ", ".join([*invented, str(address), *between])
    if any(address.version == network.version and address in network for network in PROXIES):
        return
    mapped = getattr(address, "ipv4_mapped", None)
    assert client_of(PROXY, header, PROXIES) == str(mapped or address).partition("%")[0]


@pytest.fixture
def make_gui(paths: Paths, engine: KeeperEngine, clock: Clock) -> Callable[..., Flask]:
    """Give a function that starts a GUI with settings of its own."""

    def make(**settings: object) -> Flask:
        made = create_app(
            paths,
            engine_for=lambda user, from_: KeeperClient(engine, user, from_),
            wall_clock=clock,
            steady_clock=clock,
            **settings,
        )
        made.jinja_env.bytecode_cache = COMPILED
        return made

    return make


def put(paths: Paths, text: str) -> None:
    (paths.web / "secure").mkdir(parents=True)
    (paths.web / "secure" / ".htaccess").write_text(text)


def test_the_rules_ask_for_the_client_behind_a_configured_proxy(paths: Paths, make_gui: Callable[..., Flask]) -> None:
    put(paths, ONLY_CLIENT)
    browser = InProcessBrowser(make_gui(proxies=PROXIES), PROXY)
    assert browser.raw("GET", "/login", None, **{"X-Forwarded-For": CLIENT}).status_code == 200
    assert browser.raw("GET", "/login", None, **{"X-Forwarded-For": "198.51.100.10"}).status_code == 403
    assert browser.raw("GET", "/login").status_code == 403
    browser.address = "198.51.100.10"
    assert browser.raw("GET", "/login", None, **{"X-Forwarded-For": CLIENT}).status_code == 403


def test_without_configured_proxies_no_header_is_believed(paths: Paths, make_gui: Callable[..., Flask]) -> None:
    put(paths, LOOPBACK_ONLY)
    browser = InProcessBrowser(make_gui(), PROXY)
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "X_Forwarded_For", "Remote-Addr"):
        assert browser.raw("GET", "/login", None, **{name: "127.0.0.1"}).status_code == 403
    browser.address = "127.0.0.1"
    assert browser.raw("GET", "/login", None, **{"X-Forwarded-For": CLIENT}).status_code == 200


def test_a_proxy_that_names_no_client_is_refused_and_the_log_says_so_once(
    make_gui: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    browser = InProcessBrowser(make_gui(proxies=PROXIES), PROXY)
    for _ in range(5):
        answer = browser.raw("GET", "/", None, **{"X-Forwarded-For": "\x1b[31munknown"})
        assert answer.status_code == 403
    assert caplog.text.count(PROXY) == 1
    assert "\x1b" not in caplog.text


def test_the_throttle_of_the_log_in_counts_clients_not_proxies(make_gui: Callable[..., Flask]) -> None:
    gui = make_gui(proxies=PROXIES)
    guesser, other = InProcessBrowser(gui, PROXY), InProcessBrowser(gui, PROXY)
    guesser.extra = {"X-Forwarded-For": CLIENT}
    other.extra = {"X-Forwarded-For": "198.51.100.10"}
    for _ in range(3):
        assert guesser.log_in("a wrong one").status in (401, 429)
    assert guesser.log_in(PASSWORD).status == 429
    assert other.log_in(PASSWORD).status == 200


def test_a_client_that_came_to_its_proxy_by_tls_gets_a_cookie_for_tls(make_gui: Callable[..., Flask]) -> None:
    browser = InProcessBrowser(make_gui(proxies=PROXIES), PROXY)
    words = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
    answer = browser.raw("GET", "/login", None, **words)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Secure" in answer.headers["Set-Cookie"]
    browser = InProcessBrowser(browser.client.application, CLIENT)
    answer = browser.raw("GET", "/login", None, **words)
    assert "Strict-Transport-Security" not in answer.headers
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_an_address_that_asks_too_often_is_answered_429_until_it_waits(
    make_gui: Callable[..., Flask], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    gui = make_gui()
    hasty, other = InProcessBrowser(gui, CLIENT), InProcessBrowser(gui, "198.51.100.10")
    statuses = [hasty.raw("GET", "/nowhere").status_code for _ in range(REQUESTS_AT_ONCE + 5)]
    assert statuses == [303] * REQUESTS_AT_ONCE + [429] * 5
    answer = hasty.raw("GET", "/login")
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert hasty.raw("HEAD", "/login").data == b""
    assert caplog.text.count("too often") == 1
    assert other.raw("GET", "/login").status_code == 200
    clock.now += 1
    statuses = [hasty.raw("GET", "/login").status_code for _ in range(int(REQUESTS_PER_S) + 1)]
    assert statuses == [200] * int(REQUESTS_PER_S) + [429]


def test_the_rate_is_generous_and_forgets() -> None:
    rate = RequestRate(per_s=2.0, at_once=4)
    assert [rate.wait_s(CLIENT, 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.0, 0.5]
    assert rate.wait_s(CLIENT, 0.5) == 0.0
    assert rate.wait_s(CLIENT, 0.5) == 0.5
    # However long it is quiet, it is not saved up without end.
    assert [bool(rate.wait_s(CLIENT, 10_000.0)) for _ in range(5)] == [False] * 4 + [True]
    # An address that refreshes a page of ten parts every ten seconds never waits.
    usual = RequestRate()
    assert not any(usual.wait_s(CLIENT, 10.0 * page) for page in range(500) for _ in range(10))


def test_one_ipv6_network_is_one_client_to_the_rate() -> None:
    rate = RequestRate(per_s=1.0, at_once=10)
    waits = [rate.wait_s(f"2001:db8::{number:x}", 0.0) for number in range(20)]
    assert waits.count(0.0) == 10
    assert rate.wait_s("2001:db8:0:1::1", 0.0) == 0.0


STRICT = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def test_every_answer_carries_the_headers_whoever_made_it(
    paths: Paths, make_gui: Callable[..., Flask], engine: KeeperEngine, every_secure_page: list[str]
) -> None:
    """Fault 22 of section 8."""
    gui = make_gui(proxies=PROXIES, rate=RequestRate(at_once=300))
    browser, stranger = InProcessBrowser(gui), InProcessBrowser(gui, PROXY)
    assert browser.log_in(PASSWORD).status == 200
    answers = [browser.raw("GET", page) for page in every_secure_page]
    answers += [browser.raw(method, "/secure/control") for method in ("HEAD", "PUT", "OPTIONS", "TRACE", "FROB")]
    answers += [browser.raw("GET", "/nowhere"), browser.raw("POST", "/secure/global_settings", "primary=x")]
    answers += [browser.raw("POST", "/secure/global_settings", "a" * 2_000_000)]
    answers += [stranger.raw("GET", page) for page in ("/", "/about_login", "/login", "/secure/control", "/nowhere")]
    answers += [stranger.raw("GET", "/", None, **{"X-Forwarded-For": "nobody"})]
    engine.is_dead = True
    answers += [browser.raw("POST", "/secure/create", "")]
    put(paths, "Nonsense\n")
    answers += [browser.raw("GET", "/secure/control")]
    answers += [browser.raw("GET", "/") for _ in range(300)][-1:]
    assert {answer.status_code for answer in answers} >= {200, 303, 400, 403, 404, 405, 413, 429}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in STRICT} == STRICT, answer.status
        assert answer.headers["Cache-Control"] == "no-store", answer.status
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; "), answer.status
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"unsafe|\*|http:", policy)
    style = stranger.raw("GET", "/static/css/piranha.css")
    assert {name: style.headers.get(name) for name in STRICT} == STRICT
    assert "Content-Security-Policy" in style.headers
    assert "no-store" not in style.headers.get("Cache-Control", "")


INLINE = re.compile(r"<style|\sstyle\s*=|<script(?![^>]*\ssrc=)|\son[a-z]+\s*=|javascript:", re.IGNORECASE)


def test_no_page_needs_what_the_policy_forbids(
    browser: InProcessBrowser, stranger: InProcessBrowser, every_secure_page: list[str]
) -> None:
    pages = [browser.open(page) for page in every_secure_page]
    pages += [stranger.open(page) for page in ("/", "/about_login", "/login", "/secure/control")]
    assert {page.url: INLINE.findall(page.html) for page in pages if INLINE.search(page.html)} == {}
    elsewhere = re.compile(r"(?:src|href|action)\s*=\s*[\"'](?:https?:)?//[^\"']*")
    assert {
        each for page in pages for each in elsewhere.findall(page.html) if "src" in each or "action" in each
    } == set()
