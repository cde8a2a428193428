"""All pages: they change nothing, they have one heading, and they get along without engine and without file."""

import os
import re
from urllib.parse import urlencode

import pytest
from flask import Flask

from piranha.config.fields import Scope, field
from piranha.paths import Paths
from piranha.web import panels
from piranha.web.auth import OPEN
from tests.plain_browser import every_page
from tests.web.conftest import InProcessBrowser, KeeperEngine, Watched
from tests.web.routes import READS, csrf_token


def test_check_49_looking_at_every_page_leaves_the_file_byte_for_byte(
    browser: InProcessBrowser, watched: Watched, engine: KeeperEngine, every_secure_page: list[str]
) -> None:
    engine.calls.clear()
    pages = every_page(browser)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert len(pages) >= 20
    for address in every_secure_page:
        assert browser.open(address).status == 200, address
    assert watched.is_untouched()
    assert {call.name for call in engine.calls} <= READS


PARTS = {"/secure/control/fragment", "/secure/chart.svg"}
"""No pages, but what a page fetches."""


def test_the_list_of_secure_pages_is_complete(app: Flask, every_secure_page: list[str]) -> None:
    old = re.compile(r"\.(php|html)$|^/piranha/$|^/secure/$")
    known = {address.partition("?")[0] for address in every_secure_page}
    shown = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint not in OPEN and not old.search(rule.rule)
    }
    assert shown == known | PARTS


def test_each_page_is_well_made(browser: InProcessBrowser, every_secure_page: list[str]) -> None:
    for address in ["/", "/about_login", *every_secure_page]:
        page = browser.open(address)
        assert page.html.count("<h1") == 1, address
        assert '<html lang="en">' in page.html
        assert 'href="#content"' in page.html
        assert page.read.scripts == 0
        assert " style=" not in page.html
        assert " onclick=" not in page.html
        ids = re.findall(r' id="([^"]+)"', page.html)
        assert len(ids) == len(set(ids)), address
        for form in page.read.forms:
            for id_, made in form.fields:
                if made.kind != "hidden":
                    assert page.read.labels.get(id_), f"{address}: {made.name} has no label"


@pytest.mark.parametrize(
    ("address", "tab"),
    [
        ("/secure/control", "CONTROL/MONITORING"),
        ("/secure/password", "CONTROL/MONITORING"),
        ("/secure/global_settings", "GLOBAL SETTINGS"),
        ("/secure/redundancy", "REDUNDANCY"),
        ("/secure/real_servers?virtual=virtual%5Bhttp%5D", "VIRTUAL SERVERS"),
        ("/secure/help", None),
        ("/secure/introduction", None),
    ],
)
def test_the_current_tab_is_marked_and_stays_a_link(browser: InProcessBrowser, address: str, tab: str | None) -> None:
    tabs = re.search(r'<nav class="tabs".*?</nav>', browser.open(address).html, re.DOTALL)
    assert tabs is not None
    marked = re.findall(r'<a href="[^"]+" class="current" aria-current="[^"]+">([^<]+)</a>', tabs[0])
    assert marked == ([tab] if tab else [])
    assert re.findall(r">([A-Z/ ]+)</a>", tabs[0]) == [
        "CONTROL/MONITORING",
        "GLOBAL SETTINGS",
        "REDUNDANCY",
        "VIRTUAL SERVERS",
    ]


def test_every_field_of_every_panel_is_on_the_help_page_with_its_keyword(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/help")
    for controls in (
        panels.GLOBAL_CONTROLS,
        panels.REDUNDANCY_CONTROLS,
        panels.VIRTUAL_CONTROLS,
        panels.REAL_CONTROLS,
        panels.SCRIPT_CONTROLS,
    ):
        for each in controls:
            assert each.label in page.text
            assert each.keyword in page.text
            if each.field is not None:
                assert " ".join(each.field.help.split()) in page.text


def test_the_panels_ask_for_every_field_of_the_manual() -> None:
    asked = {
        Scope.GLOBAL: panels.GLOBAL_CONTROLS + panels.REDUNDANCY_CONTROLS,
        Scope.VIRTUAL: panels.VIRTUAL_CONTROLS + panels.SCRIPT_CONTROLS,
        Scope.SERVER: panels.REAL_CONTROLS,
    }
    wanted = {
        Scope.GLOBAL: "primary primary_private tcp_timeout tcpfin_timeout udp_timeout network nat_router nat_nmask "
        "backup backup_private keepalive deadtime heartbeat_port monitor_links syncdaemon syncd_iface syncd_id",
        Scope.VIRTUAL: "port protocol address vip_nmask sorry_server fwmark reentry timeout quiesce_server "
        "load_monitor scheduler persistent pmask send_program send expect use_regex",
        Scope.SERVER: "address port weight",
    }
    for scope, controls in asked.items():
        assert {each.keyword for each in controls} - {""} == set(wanted[scope].split())
        assert all(field(scope, keyword) is not None for keyword in wanted[scope].split())


def test_netmasks_are_offered_with_their_prefix_length(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D")
    (masks,) = (made.choices for form in page.read.forms for _, made in form.fields if made.name == "vip_nmask")
    assert list(masks)[:3] == ["Unused", "255.255.255.255 (/32)", "255.255.255.252 (/30)"]
    assert len(masks) == 17


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/index.html", "/"),
        ("/about_login.php", "/about_login"),
        ("/secure/control.php", "/secure/control"),
        ("/secure/passwd.php", "/secure/password"),
        ("/secure/global_settings.php?PriLVSIP=6.6.6.6&ACCEPT=1", "/secure/global_settings"),
        ("/secure/redundancy.php", "/secure/redundancy"),
        ("/secure/virtual_main.php", "/secure/virtual_servers"),
        ("/secure/virtual_edit_virt.php?selected_host=2", "/secure/virtual_server?virtual=virtual%5Bsmtp%5D"),
        ("/secure/virtual_edit_real.php?selected_host=1", "/secure/real_servers?virtual=virtual%5Bhttp%5D"),
        ("/secure/virtual_edit_services.php?selected_host=1", "/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D"),
        (
            "/secure/virtual_edit_real_edit.php?selected_host=1&selected=2",
            "/secure/real_server?server=virtual%5Bhttp%5D.server%5Bweb2%5D",
        ),
        ("/secure/virtual_edit_virt.php?selected_host=9", "/secure/virtual_servers"),
        ("/secure/virtual_edit_virt.php?selected_host=-1", "/secure/virtual_servers"),
        ("/secure/virtual_edit_virt.php?selected_host=x", "/secure/virtual_servers"),
        ("/secure/help.php", "/secure/help"),
        ("/secure/introduction.html", "/secure/introduction"),
    ],
)
def test_old_addresses_lead_to_the_pages_that_took_their_place(
    browser: InProcessBrowser, watched: Watched, old: str, new: str
) -> None:
    answer = browser.raw("GET", old)
    assert answer.status_code in (301, 303)
    assert answer.headers["Location"] == new
    assert browser.raw("POST", old, "").status_code in (400, 405)
    assert watched.is_untouched()


def test_a_missing_file_is_one_page_with_a_create_button_and_looking_creates_nothing(
    browser: InProcessBrowser, paths: Paths
) -> None:
    paths.lvs_cf.unlink()
    for address in ("/secure/global_settings", "/secure/virtual_servers", "/secure/redundancy"):
        page = browser.open(address)
        assert page.status == 503
        assert "There is no lvs.cf." in page.text
        assert not paths.lvs_cf.exists()
    page = page.press("Create")
    assert page.status == 200
    assert "lvs.cf is created." in page.text
    assert paths.lvs_cf.read_text() == "serial_no = 1\n"
    assert browser.open("/secure/virtual_servers").status == 200


def test_an_unreadable_file_is_one_page_with_the_expected_owner_and_mode(
    browser: InProcessBrowser, paths: Paths
) -> None:
    paths.lvs_cf.unlink()
    paths.lvs_cf.mkdir()
    page = browser.open("/secure/virtual_servers")
    assert page.status == 503
    assert "lvs.cf cannot be read." in page.text
    assert "chown root:piranha" in page.text
    assert "0640" in page.text
    assert "Create" not in page.text


def test_without_the_engine_pages_are_shown_from_the_file(
    browser: InProcessBrowser, engine: KeeperEngine, every_secure_page: list[str]
) -> None:
    engine.is_dead = True
    for address in every_secure_page:
        page = browser.open(address)
        assert page.status == 200, address
        assert "The engine does not answer: nothing can be saved." in page.text, address
        assert "service pulse start" in page.text
    page = browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D")
    assert page.value("Virtual IP Address") == "192.0.2.80"


@pytest.mark.parametrize(
    ("address", "label", "typed", "button"),
    [
        ("/secure/global_settings", "TCP timeout (seconds)", "321", "ACCEPT"),
        ("/secure/virtual_server?virtual=virtual%5Bhttp%5D", "Re-entry Time", "321", "ACCEPT"),
        ("/secure/virtual_server/add", "Name", "brand_new", "ACCEPT"),
        ("/secure/real_server?server=virtual%5Bhttp%5D.server%5Bweb1%5D", "Weight", "321", "ACCEPT"),
        ("/secure/real_server/add?virtual=virtual%5Bhttp%5D", "Name", "brand_new", "ACCEPT"),
        ("/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D", "Expect", "brand new", "ACCEPT"),
        ("/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D", "Expect", "brand new", "BLANK SEND"),
    ],
)
def test_without_the_engine_a_form_keeps_what_was_typed(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, address: str, label: str, typed: str, button: str
) -> None:
    page = browser.open(address).fill(label, typed)
    engine.is_dead = True
    page = page.press(button)
    assert page.status == 503
    assert "Nothing was saved." in page.text
    assert page.value(label) == typed
    assert watched.is_untouched()
    engine.is_dead = False
    assert page.press("ACCEPT").status == 200
    assert typed in watched.path.read_text()


@pytest.mark.parametrize(
    ("address", "button"),
    [
        ("/secure/redundancy", "ENABLE"),
        ("/secure/virtual_servers", "Deactivate http"),
        ("/secure/real_servers?virtual=virtual%5Bhttp%5D", "Deactivate web1"),
        ("/secure/virtual_server/delete?virtual=virtual%5Bhttp%5D", "DELETE http"),
        ("/secure/control", "Drain web1"),
    ],
)
def test_without_the_engine_every_other_button_says_so(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, address: str, button: str
) -> None:
    page = browser.open(address)
    engine.is_dead = True
    page = page.press(button)
    assert page.status == 503
    assert "The engine does not answer" in page.text
    assert watched.is_untouched()


def test_a_file_and_an_engine_that_went_while_somebody_typed_lose_nothing(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    page = browser.open("/secure/global_settings").fill("TCP timeout (seconds)", "321")
    engine.is_dead = True
    paths.lvs_cf.unlink()
    page = page.press("ACCEPT")
    assert page.status == 503
    assert "321" in page.text


def test_a_file_of_another_encoding_can_be_edited_and_keeps_its_bytes(browser: InProcessBrowser, paths: Paths) -> None:
    raw = (
        paths.lvs_cf.read_bytes()
        .replace(b"# Kept by hand.", b"# Von Hand gepfl\xfcckt.")
        .replace(b'"HTTP"', b'"gr\xfc\xdfe"')
    )
    paths.lvs_cf.write_bytes(raw)
    page = browser.open("/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D")
    assert page.value("Expect") == "grüße"
    assert page.fill("Send", "QUIT").press("ACCEPT").status == 200
    after = raw.replace(b"serial_no = 7", b"serial_no = 8").replace(rb"GET / HTTP/1.0\r\n\r\n", b"QUIT")
    assert paths.lvs_cf.read_bytes() == after


def test_a_failure_of_ours_is_one_clear_page_and_the_trace_is_in_the_log(
    browser: InProcessBrowser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr("piranha.web.virtual_servers.blocks.block", fail)
    page = browser.open("/secure/virtual_servers")
    assert page.status == 500
    assert "The log of piranha-gui says why." in page.text
    assert "secret detail" not in page.html
    assert "Traceback" not in page.html
    assert "ZeroDivisionError: a secret detail" in caplog.text


def test_an_unknown_address_is_a_page_too(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/nothing-here")
    assert page.status == 404
    assert page.html.count("<h1") == 1


@pytest.mark.parametrize("address", ["/secure/control", "/secure/help", "/secure/password"])
def test_a_missing_file_is_told_on_pages_that_need_none_too(
    browser: InProcessBrowser, paths: Paths, address: str
) -> None:
    assert "There is no lvs.cf." not in browser.open(address).text
    paths.lvs_cf.unlink()
    page = browser.open(address)
    assert "There is no lvs.cf." in page.text
    assert page.follow("What to do").text.count("There is no lvs.cf.") == 1


def test_an_engine_that_hangs_is_waited_for_once(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.is_dead = True
    engine.calls.clear()
    assert browser.open("/secure/virtual_servers").status == 200
    assert [call.name for call in engine.calls] == ["config"]


def test_a_fault_of_the_file_as_a_whole_names_no_line(browser: InProcessBrowser, paths: Paths) -> None:
    paths.lvs_cf.write_text("serial_no = 1\n")
    assert "(line 0)" not in browser.open("/secure/plan").text


def test_what_is_no_file_in_the_place_of_lvs_cf_is_told_and_not_waited_for(
    paths: Paths, engine: KeeperEngine, browser: InProcessBrowser
) -> None:
    paths.lvs_cf.unlink()
    os.mkfifo(paths.lvs_cf)
    engine.is_dead = True
    page = browser.open("/secure/global_settings")
    assert page.status == 503 and "is not a file" in page.text


@pytest.mark.parametrize(
    ("method", "address", "body", "code", "told"),
    [
        ("GET", "/secure/nothing", None, 404, "There is no page at this address."),
        ("POST", "/secure/help", "", 405, "Go to the page and press its button."),
        ("PUT", "/secure/help", "", 405, "Go to the page and press its button."),
        ("POST", "/secure/global_settings", "primary=" + "x" * 1_100_000, 413, "larger than a form may be."),
        ("GET", "/secure/history/version?number=x", None, 404, "the history counts them 1, 2, 3"),
    ],
)
def test_a_request_that_is_at_fault_is_told_so_in_plain_words(
    browser: InProcessBrowser, watched: Watched, method: str, address: str, body: str | None, code: int, told: str
) -> None:
    token = csrf_token(browser.open("/secure/global_settings"))
    answer = browser.raw(method, address, None if body is None else urlencode({"csrf_token": token}) + f"&{body}")
    page = answer.get_data(as_text=True)
    assert answer.status_code == code and told in page and "CONTROL/MONITORING" in page
    assert "The requested URL" not in page and "capacity limit" not in page
    assert ("Allow" in answer.headers) is (code == 405)
    assert watched.is_untouched()


def test_what_is_too_much_for_somebody_who_was_logged_out_says_to_log_in(stranger: InProcessBrowser) -> None:
    token = csrf_token(stranger.open("/login"))
    answer = stranger.raw("POST", "/secure/adopt", f"csrf_token={token}&text=" + "x" * 1_100_000)
    assert answer.status_code == 413 and "Log in, and send it again." in answer.get_data(as_text=True)
