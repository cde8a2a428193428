"""GLOBAL SETTINGS: what ACCEPT writes, and what it refuses."""

import pytest

from piranha.paths import Paths
from tests.web.conftest import InProcessBrowser, Watched

PANEL = "/secure/global_settings"


def test_check_46_accept_writes_what_was_changed_and_nothing_else(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(PANEL).fill("Primary server public IP", "192.0.2.12").fill("TCP timeout (seconds)", "900")
    page = page.press("ACCEPT")
    assert "Global settings saved. lvs.cf is saved, serial_no 8." in page.text
    assert page.url.endswith(PANEL)
    assert watched.changed_lines() == [
        "- primary = 192.0.2.11",
        "+ primary = 192.0.2.12",
        "+ tcp_timeout = 900",
    ]


def test_check_23_nat_is_written_with_its_address_device_and_netmask(browser: InProcessBrowser, paths: Paths) -> None:
    page = browser.open(PANEL).fill(
        "NAT – Requests and replies pass through the router, which rewrites the addresses.", "1"
    )
    page.fill("NAT Router IP", "10.0.0.254").fill("NAT Router netmask", "255.255.255.0")
    page = page.fill("NAT Router device", "eth1:1").press("ACCEPT")
    assert page.status == 200
    text = paths.lvs_cf.read_text()
    assert "network = nat\n" in text
    assert "nat_router = 10.0.0.254 eth1:1\n" in text
    assert "nat_nmask = 255.255.255.0\n" in text
    assert "default gateway of every real server must be the NAT Router IP" in page.text
    assert "Do not set up floating addresses in the network scripts" in page.text


def test_check_24_another_type_keeps_the_nat_fields_and_everything_typed(
    browser: InProcessBrowser, paths: Paths
) -> None:
    text = paths.lvs_cf.read_text().replace("network = direct", "network = nat\nnat_router = 10.0.0.254 eth1:1")
    paths.lvs_cf.write_text(text)
    page = browser.open(PANEL).fill("Primary server public IP", "192.0.2.13")
    label = "Direct Routing – Real servers answer clients directly; they share a network with the router."
    assert page.fill(label, "1").press("ACCEPT").status == 200
    after = text.replace("serial_no = 7", "serial_no = 8").replace("network = nat", "network = direct")
    assert paths.lvs_cf.read_text() == after.replace("192.0.2.11", "192.0.2.13")


@pytest.mark.parametrize(("filled", "empty"), [("NAT Router IP", "nat_device"), ("NAT Router device", "nat_router")])
def test_check_26_half_a_nat_router_is_refused_at_the_empty_field(
    browser: InProcessBrowser, watched: Watched, filled: str, empty: str
) -> None:
    value = "10.0.0.254" if filled.endswith("IP") else "eth1:1"
    page = browser.open(PANEL).fill(filled, value).press("ACCEPT")
    assert page.status == 422
    assert f'id="{empty}-trouble1"' in page.html
    assert page.value(filled) == value
    assert watched.is_untouched()


def test_check_47_a_blank_private_address_takes_the_backups_with_it(browser: InProcessBrowser, paths: Paths) -> None:
    text = paths.lvs_cf.read_text()
    paths.lvs_cf.write_text(
        text.replace("network =", "primary_private = 10.0.0.1\nbackup_private = 10.0.0.2\nnetwork =")
    )
    page = browser.open(PANEL).fill("Primary server private IP", "").press("ACCEPT")
    assert "The backup's private IP was removed too" in page.text
    assert paths.lvs_cf.read_text() == text.replace("serial_no = 7", "serial_no = 8")


def test_the_primary_address_is_required(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(PANEL).fill("Primary server public IP", "").press("ACCEPT")
    assert page.status == 422
    assert "This field is required." in page.text
    assert watched.is_untouched()


def test_without_a_network_line_nat_is_shown_as_in_force_and_not_written(
    browser: InProcessBrowser, paths: Paths
) -> None:
    text = paths.lvs_cf.read_text().replace("network = direct\n", "")
    paths.lvs_cf.write_text(text)
    page = browser.open(PANEL)
    assert "lvs.cf has no such line: NAT is in force." in page.text
    assert page.fill("UDP timeout (seconds)", "30").press("ACCEPT").status == 200
    assert "network =" not in paths.lvs_cf.read_text()


def test_keys_that_no_panel_shows_are_kept(browser: InProcessBrowser, paths: Paths) -> None:
    browser.open(PANEL).fill("UDP timeout (seconds)", "30").press("ACCEPT")
    text = paths.lvs_cf.read_text()
    assert "# Kept by hand.\n" in text
    assert "hard_shutdown = 0\n" in text


def test_the_first_save_of_a_file_with_carriage_returns_says_that_they_went(
    paths: Paths, browser: InProcessBrowser
) -> None:
    paths.lvs_cf.write_bytes(paths.lvs_cf.read_bytes().replace(b"\n", b"\r\n"))
    page = browser.open(PANEL).fill("Primary server public IP", "192.0.2.77").press("ACCEPT")
    assert "Carriage returns were replaced" in page.text
    assert b"\r" not in paths.lvs_cf.read_bytes()
