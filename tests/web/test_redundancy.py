"""REDUNDANCY: ENABLE, DISABLE, RESET, ACCEPT."""

import pytest

from piranha.paths import Paths
from tests.web.conftest import InProcessBrowser, Watched

PANEL = "/secure/redundancy"
FIELDS = ("Redundant server public IP", "Heartbeat interval (seconds)", "Assume dead after (seconds)")


def enabled(paths: Paths, more: str = "") -> str:
    """Put an active backup into lvs.cf and return the text."""
    lines = "backup_active = 1\nbackup = 192.0.2.12\nheartbeat_port = 539\nkeepalive = 6\ndeadtime = 18\n"
    text = paths.lvs_cf.read_text().replace("service = lvs\n", f"service = lvs\n{lines}{more}")
    paths.lvs_cf.write_text(text)
    return text


def test_check_50_at_first_it_is_inactive_and_only_enable_is_offered(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open(PANEL)
    assert "Backup: ■ inactive" in page.text
    assert [button.text for form in page.read.forms for button in form.buttons] == ["LOG OUT", "ENABLE"]
    assert watched.is_untouched()


def test_check_51_enable_writes_the_defaults_and_shows_them(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(PANEL).press("ENABLE")
    assert "Backup: ● active" in page.text
    assert [page.value(label) for label in FIELDS] == ["0.0.0.0", "6", "18"]
    assert page.value("Heartbeat runs on port") == "539"
    assert sorted(watched.changed_lines()) == [
        "+ backup = 0.0.0.0",
        "+ backup_active = 1",
        "+ deadtime = 18",
        "+ heartbeat = 1",
        "+ heartbeat_port = 539",
        "+ keepalive = 6",
    ]


def test_check_54_disable_keeps_the_values_and_enable_brings_them_back(browser: InProcessBrowser, paths: Paths) -> None:
    enabled(paths)
    page = browser.open(PANEL).press("DISABLE")
    assert "Backup: ■ inactive" in page.text
    assert "backup_active = 0\nbackup = 192.0.2.12\n" in paths.lvs_cf.read_text()
    page = page.press("ENABLE")
    assert page.value("Redundant server public IP") == "192.0.2.12"


def test_check_55_reset_asks_first_and_then_touches_nothing_else(browser: InProcessBrowser, paths: Paths) -> None:
    text = enabled(paths, "backup_private = 10.0.0.2\nprimary_private = 10.0.0.1\nmonitor_links = 1\nsyncdaemon = 1\n")
    text = text.replace("keepalive = 6", "keepalive = 9").replace("deadtime = 18", "deadtime = 30")
    paths.lvs_cf.write_text(text)
    page = browser.open(PANEL).follow("RESET")
    assert paths.lvs_cf.read_text() == text
    assert "now 192.0.2.12" in page.text
    page = page.press("RESET")
    assert page.status == 200
    after = text.replace("serial_no = 7", "serial_no = 8").replace("backup = 192.0.2.12", "backup = 0.0.0.0")
    after = after.replace("keepalive = 9", "keepalive = 6").replace("deadtime = 30", "deadtime = 18")
    assert paths.lvs_cf.read_text() == after.replace("backup_private = 10.0.0.2\n", "")


def test_accept_writes_all_fields(browser: InProcessBrowser, paths: Paths) -> None:
    text = enabled(paths)
    page = browser.open(PANEL)
    for label, value in {
        "Redundant server public IP": "192.0.2.13",
        "Heartbeat interval (seconds)": "4",
        "Assume dead after (seconds)": "12",
        "Heartbeat runs on port": "1050",
        "Monitor NIC links for failures": "1",
        "Use sync daemon": "1",
        "Sync daemon interface": "eth1",
        "Sync daemon ID": "3",
    }.items():
        page.fill(label, value)
    assert page.press("ACCEPT").status == 200
    after = paths.lvs_cf.read_text()
    for line in (
        "backup = 192.0.2.13",
        "keepalive = 4",
        "deadtime = 12",
        "heartbeat_port = 1050",
        "monitor_links = 1",
        "syncdaemon = 1",
        "syncd_iface = eth1",
        "syncd_id = 3",
    ):
        assert f"\n{line}\n" in after
    assert len(after.splitlines()) == len(text.splitlines()) + 4


def test_the_sync_daemons_blank_fields_are_filled_when_it_is_switched_on(
    browser: InProcessBrowser, paths: Paths
) -> None:
    enabled(paths)
    browser.open(PANEL).fill("Use sync daemon", "1").press("ACCEPT")
    assert "syncdaemon = 1\n" in paths.lvs_cf.read_text()
    assert "syncd_iface = eth0\nsyncd_id = 0\n" in paths.lvs_cf.read_text()


def test_check_53_a_blank_port_means_the_default(browser: InProcessBrowser, paths: Paths) -> None:
    text = enabled(paths)
    assert browser.open(PANEL).fill("Heartbeat runs on port", "").press("ACCEPT").status == 200
    after = text.replace("serial_no = 7", "serial_no = 8").replace("heartbeat_port = 539\n", "")
    assert paths.lvs_cf.read_text() == after


@pytest.mark.parametrize(
    ("label", "value", "told"),
    [
        ("Redundant server public IP", "0.0.0.0", "0.0.0.0 is no address."),
        ("Redundant server public IP", "192.0.2.11", "This is the primary's address."),
        ("Redundant server public IP", "", "This field is required."),
        ("Assume dead after (seconds)", "6", "The partner would count as dead"),
        ("Heartbeat interval (seconds)", "0", "0 is out of range"),
        ("Sync daemon ID", "256", "256 is out of range"),
        ("Sync daemon interface", "eth0:1", "This is no network interface."),
        ("Sync daemon interface", "no interface", "This is no network interface."),
    ],
)
def test_what_does_not_go_together_is_refused(
    browser: InProcessBrowser, paths: Paths, label: str, value: str, told: str
) -> None:
    text = enabled(paths)
    page = browser.open(PANEL).fill(label, value).press("ACCEPT")
    assert page.status == 422
    assert told in page.text
    assert page.value(label) == value
    assert paths.lvs_cf.read_text() == text


def test_check_52_the_private_address_is_asked_for_only_if_the_primary_has_one(
    browser: InProcessBrowser, paths: Paths
) -> None:
    text = enabled(paths)
    page = browser.open(PANEL)
    assert "because the primary server has no private IP" in page.text
    assert "Redundant server private IP" not in page.read.labels.values()
    paths.lvs_cf.write_text(text.replace("service = lvs", "primary_private = 10.0.0.1\nservice = lvs"))
    page = browser.open(PANEL)
    assert page.press("ACCEPT").status == 422
    assert page.fill("Redundant server private IP", "10.0.0.2").press("ACCEPT").status == 200
    assert "backup_private = 10.0.0.2\n" in paths.lvs_cf.read_text()


def test_what_was_filled_in_for_the_sync_daemon_is_told(browser: InProcessBrowser, paths: Paths) -> None:
    enabled(paths)
    page = browser.open(PANEL).fill("Use sync daemon", "1").press("ACCEPT")
    assert "Sync daemon interface was left blank: eth0 is used." in page.text
    assert "Sync daemon ID was left blank: 0 is used." in page.text
