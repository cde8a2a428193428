"""REAL SERVER: the list and the form."""

import pytest

from piranha.paths import Paths
from tests.web.conftest import InProcessBrowser, Watched

LIST = "/secure/real_servers?virtual=virtual%5Bhttp%5D"
FORM = "/secure/real_server?server=virtual%5Bhttp%5D.server%5Bweb1%5D"


def test_the_list_names_its_virtual_server_and_shows_port_and_weight(browser: InProcessBrowser) -> None:
    text = browser.open(LIST).text
    assert "Virtual server http 192.0.2.80:80 tcp" in text
    assert "web1 192.0.2.21 as the virtual server 1" in text


def test_check_66_add_appends_a_server_that_is_down_with_weight_one_and_no_port(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open(LIST).follow("ADD")
    assert [page.value(label) for label in ("Name", "Address", "Port", "Weight")] == ["[unnamed]", "0.0.0.0", "", "1"]
    assert watched.is_untouched()
    page = page.fill("Name", "web3").fill("Address", "192.0.2.23").press("ACCEPT")
    assert "Real server web3 is added. It is down until you activate it." in page.text
    assert watched.changed_lines() == [
        "+      server web3 {",
        "+          address = 192.0.2.23",
        "+          active = 0",
        "+          weight = 1",
        "+      }",
    ]


def test_accept_writes_address_port_weight_and_name(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(FORM).fill("Address", "192.0.2.31").fill("Port", "80").fill("Weight", "5")
    page = page.fill("Name", "front").press("ACCEPT")
    assert page.url.endswith("server=virtual%5Bhttp%5D.server%5Bfront%5D")
    assert sorted(watched.changed_lines()) == sorted(
        [
            "-      server web1 {",
            "+      server front {",
            "-          address = 192.0.2.21",
            "+          address = 192.0.2.31",
            "-          weight = 1",
            "+          port = 80",
            "+          weight = 5",
        ]
    )


def test_another_port_than_the_virtual_servers_is_warned_of_with_direct_routing(browser: InProcessBrowser) -> None:
    page = browser.open(FORM).fill("Port", "8080").press("ACCEPT")
    assert page.status == 200
    assert "Only NAT can change the port" in page.text


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Address", "192.0.2.21:80"),
        ("Address", "0.0.0.0"),
        ("Address", ""),
        ("Port", "http"),
        ("Port", "0"),
        ("Port", "65536"),
        ("Weight", "-1"),
        ("Weight", "1.5"),
        ("Weight", "65536"),
        ("Weight", "one"),
        ("Name", ""),
        ("Name", "web2"),
        ("Name", "web{"),
    ],
)
def test_checks_66_and_68_what_cannot_be_is_refused(
    browser: InProcessBrowser, watched: Watched, label: str, value: str
) -> None:
    page = browser.open(FORM).fill(label, value).press("ACCEPT")
    assert page.status == 422
    assert page.value(label) == value
    assert watched.is_untouched()


def test_check_68_a_weight_of_zero_is_a_weight(browser: InProcessBrowser, watched: Watched) -> None:
    assert browser.open(FORM).fill("Weight", "0").press("ACCEPT").status == 200
    assert watched.changed_lines() == ["-          weight = 1", "+          weight = 0"]


def test_check_67_deactivating_the_last_one_of_an_active_virtual_server_is_warned_of(
    browser: InProcessBrowser, paths: Paths
) -> None:
    page = browser.open(LIST).press("Deactivate web1")
    assert "No real server is active here." not in page.text
    page = page.press("Deactivate web2")
    assert page.status == 200
    assert "No real server is active here." in page.text
    assert paths.lvs_cf.read_text().count("         active = 0") == 2


def test_a_server_without_an_address_cannot_be_activated(browser: InProcessBrowser, paths: Paths) -> None:
    browser.open(LIST).follow("ADD").press("ACCEPT")
    text = paths.lvs_cf.read_text()
    page = browser.open(LIST).press("Activate [unnamed]")
    assert page.status == 422
    assert "it has no address yet" in page.text
    assert paths.lvs_cf.read_text() == text


def test_delete_asks_first_and_removes_the_block(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(LIST).follow("Delete web1")
    assert "Shall the real server web1 be deleted from http?" in page.text
    assert watched.is_untouched()
    page = page.press("DELETE web1")
    assert page.status == 200
    assert "web1" not in watched.path.read_text()
    assert "server web2 {" in watched.path.read_text()


def test_check_67_the_sorry_server_is_named_when_nothing_else_is_left(browser: InProcessBrowser) -> None:
    browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Sorry Server", "192.0.2.99").press("ACCEPT")
    page = browser.open(LIST).press("Deactivate web1")
    assert "192.0.2.99" not in page.text
    page = page.press("Deactivate web2")
    assert "After Apply, clients of http get its sorry server, 192.0.2.99." in page.text


def test_a_status_form_without_its_button_changes_nothing(browser: InProcessBrowser, watched: Watched) -> None:
    for address in ("/secure/real_servers?virtual=virtual%5Bhttp%5D", "/secure/virtual_servers"):
        page = browser.open(address)
        form = next(form for form in page.read.forms if "/status?" in form.action)
        answer = browser.send(form.action, [(made.name, made.value) for _, made in form.fields])
        assert answer.status == 400
        assert "No button was named." in answer.text
    assert watched.is_untouched()


def test_a_block_that_is_gone_is_named_as_people_read_it(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/real_server?server=virtual%5Bhttp%5D.server%5Bnone%5D")
    assert "http / none is not in lvs.cf (any more)." in page.text
