"""CONNECTIONS: the page that says which client is on which real server."""

import re
from urllib.parse import urlencode

import pytest

from piranha.messages import ClientConnection, ConnectionsQuery
from tests.web.conftest import InProcessBrowser, KeeperEngine

PAGE = "/secure/connections"
OPEN = ClientConnection("TCP", "192.0.2.7", 40001, "198.51.100.1:80", "10.0.0.1:80", "ESTABLISHED", False, 890)
TEMPLATE = ClientConnection("TCP", "192.0.2.0", 0, "198.51.100.1:80", "10.0.0.2:80", "TEMPLATE", True, 50)


def test_a_client_stands_beside_its_real_server_and_a_template_is_told_apart(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.connections = [OPEN, TEMPLATE]
    text = browser.open("/secure/control").follow("Which client is on which real server").text
    assert re.search(r"192.0.2.7:40001\s*TCP\s*198.51.100.1:80\s*10.0.0.1:80\s*ESTABLISHED\s*14 min", text)
    assert re.search(r"192.0.2.0\s*TCP\s*198.51.100.1:80\s*10.0.0.2:80\s*template\s*50 s", text)
    assert "2 in all." in text
    assert "(kernel data path)" in text


def test_what_is_chosen_is_asked_for_and_stays_in_the_form(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(PAGE).fill("Client", "192.0.2.0/24").fill("Virtual server", "mark 9")
    page = page.fill("State", "FIN_WAIT").fill("How many", "5").press("Show connections")
    asked = engine.named("connections")[-1].what
    assert asked == ConnectionsQuery("192.0.2.0/24", "mark 9", "", "FIN_WAIT", "5")
    assert (page.value("Client"), page.value("Virtual server"), page.value("State"), page.value("How many")) == (
        "192.0.2.0/24",
        "mark 9",
        "FIN_WAIT",
        "5",
    )
    assert "No connection is as asked for." in page.text


@pytest.mark.parametrize(
    ("name", "label", "typed"),
    [
        ("client", "Client", "nobody<b>"),
        ("vip", "Virtual server", "198.51.100.1:http"),
        ("server", "Real server", "web1"),
        ("state", "State", "SLEEPING"),
        ("limit", "How many", "1001"),
    ],
)
def test_what_is_not_understood_is_told_at_its_field_and_kept(
    browser: InProcessBrowser, name: str, label: str, typed: str
) -> None:
    page = browser.open(f"{PAGE}?{urlencode({name: typed, 'client' if name != 'client' else 'vip': '192.0.2.9'})}")
    assert page.status == 422
    assert page.value(label) == typed
    assert f'id="{name}-trouble"' in page.html and page.html.count('class="trouble"') == 1
    assert page.value("Client" if name != "client" else "Virtual server") == "192.0.2.9"


def test_more_connections_than_are_shown_are_said_to_exist(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.connections = [OPEN] * 7
    text = browser.open(f"{PAGE}?limit=3").text
    assert "3 of 7 are shown: more exist." in text
    assert text.count("192.0.2.7:40001") == 3


def test_a_data_path_that_does_not_tell_says_so(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.not_told = "The embedded data path does not tell its single connections."
    text = browser.open(PAGE).text
    assert "The embedded data path does not tell its single connections." in text
    assert "There is no connection" not in text


def test_without_an_engine_nothing_is_known_and_what_was_typed_stays(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.is_dead = True
    page = browser.open(f"{PAGE}?client=192.0.2.7")
    assert page.status == 200
    assert "Nothing is known:" in page.text
    assert engine.named("connections") == []
    assert page.value("Client") == "192.0.2.7"


def test_an_address_with_a_port_of_ipv6_stands_in_brackets(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.connections = [
        ClientConnection("TCP", "2001:db8::7", 40001, "[2001:db8::1]:80", "[fd00::1]:80", "ESTABLISHED", False, 890)
    ]
    assert "[2001:db8::7]:40001" in browser.open(PAGE).text
