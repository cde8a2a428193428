"""VIRTUAL SERVERS: what each button writes, to the line."""

import re
from collections.abc import Callable

import pytest

from piranha.config.edits import RemoveBlock, SetValues
from piranha.paths import Paths
from tests.web.conftest import InProcessBrowser, KeeperEngine, Watched

ADDED = r"""+ virtual shop {
+      active = 0
+      address = 192.0.2.90 eth0:3
+      port = 443
+      send = "GET / HTTP/1.0\r\n\r\n"
+      expect = "HTTP"
+      use_regex = 0
+      load_monitor = none
+      scheduler = rr
+      protocol = tcp
+      timeout = 6
+      reentry = 15
+      quiesce_server = 0
+ }""".splitlines()


def test_check_56_the_list_shows_status_health_name_vip_netmask_port_protocol_interface(
    browser: InProcessBrowser,
) -> None:
    page = browser.open("/secure/virtual_servers")
    headings = re.findall(r'<th scope="col"[^>]*>([A-Z]+)</th>', page.html)
    assert headings == ["STATUS", "HEALTH", "NAME", "VIP", "NETMASK", "PORT", "PROTOCOL", "INTERFACE", "ACTIONS"]
    text = page.text
    assert "http 192.0.2.80 255.255.255.0 80 tcp eth0:1" in text
    assert "smtp 192.0.2.81 Unused 25 tcp eth0:2" in text


def test_check_57_add_offers_the_defaults_and_saves_nothing_before_accept(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open("/secure/virtual_servers").follow("ADD")
    offered = {
        "Name": "[server_name]",
        "Application port": "80",
        "Protocol": "tcp",
        "Virtual IP Address": "0.0.0.0",
        "Virtual IP Network Mask": "",
        "Sorry Server": "",
        "Firewall Mark": "",
        "Device": "eth0:1",
        "Re-entry Time": "15",
        "Service timeout": "6",
        "Load monitoring tool": "none",
        "Scheduling": "wlc",
        "Persistence": "",
        "Persistence Network Mask": "",
    }
    assert {label: page.value(label) for label in offered} == offered
    assert watched.is_untouched()


def test_while_the_engine_is_silent_nobody_knows_how_a_server_stands(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.is_dead = True
    for address in ("/secure/virtual_servers", "/secure/real_servers?virtual=virtual[http]"):
        text = browser.open(address).text
        assert "? unknown" in text and "not running" not in text


def test_check_57_add_appends_a_block_that_is_down(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_server/add")
    for label, value in {
        "Name": "shop",
        "Application port": "443",
        "Virtual IP Address": "192.0.2.90",
        "Device": "eth0:3",
        "Scheduling": "rr",
    }.items():
        page.fill(label, value)
    page = page.press("ACCEPT")
    assert page.status == 200
    assert "Virtual server shop is added. It is down until you activate it." in page.text
    assert re.search(r"▼ down – not running shop 192\.0\.2\.90", page.text)
    assert watched.changed_lines() == ADDED
    assert "serial_no = 8\n" in watched.path.read_text()


def test_add_writes_every_field_that_is_filled(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_server/add")
    for label, value in {
        "Name": "dns",
        "Application port": "53",
        "Protocol": "udp",
        "Virtual IP Address": "192.0.2.91",
        "Virtual IP Network Mask": "255.255.255.240",
        "Sorry Server": "192.0.2.99",
        "Firewall Mark": "53",
        "Re-entry Time": "20",
        "Service timeout": "4",
        "Yes": "1",
        "Load monitoring tool": "rup",
        "Scheduling": "sh",
        "Persistence": "300",
        "Persistence Network Mask": "255.255.255.0",
    }.items():
        page.fill(label, value)
    assert page.press("ACCEPT").status == 200
    written = [line[2:].strip() for line in watched.changed_lines()]
    assert written == [
        "virtual dns {",
        "active = 0",
        "address = 192.0.2.91 eth0:1",
        "sorry_server = 192.0.2.99",
        "vip_nmask = 255.255.255.240",
        "fwmark = 53",
        "port = 53",
        "persistent = 300",
        "pmask = 255.255.255.0",
        r'send = "GET / HTTP/1.0\r\n\r\n"',
        'expect = "HTTP"',
        "use_regex = 0",
        "load_monitor = rup",
        "scheduler = sh",
        "protocol = udp",
        "timeout = 4",
        "reentry = 20",
        "quiesce_server = 1",
        "}",
    ]


def test_one_changed_field_is_one_changed_line(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http").fill("Re-entry Time", "40").press("ACCEPT")
    assert "Virtual server http saved. lvs.cf is saved, serial_no 8." in page.text
    assert watched.changed_lines() == ["-      reentry = 15", "+      reentry = 40"]


def test_accept_without_a_change_writes_nothing(browser: InProcessBrowser, watched: Watched) -> None:
    for path in ("virtual%5Bhttp%5D", "virtual%5Bsmtp%5D"):
        page = browser.open(f"/secure/virtual_server?virtual={path}").press("ACCEPT")
        assert "Nothing was changed" in page.text
    assert watched.is_untouched()


@pytest.mark.parametrize("code", ["rr", "wlc", "wrr", "lc", "lblc", "lblcr", "dh", "sh"])
def test_check_62_each_scheduler_is_written_as_its_code(browser: InProcessBrowser, paths: Paths, code: str) -> None:
    page = browser.open("/secure/virtual_server?virtual=virtual%5Bsmtp%5D").fill("Scheduling", code)
    assert page.press("ACCEPT").status == 200
    assert ("scheduler = " + code in paths.lvs_cf.read_text().split("virtual smtp")[1]) is (code != "wlc")


@pytest.mark.parametrize(
    ("line", "odd"),
    [
        ("scheduler = wlc", "scheduler = sed"),
        ("load_monitor = none", "load_monitor = uptime"),
        ("vip_nmask = 255.255.255.0", "vip_nmask = 255.254.0.0"),
        ("vip_nmask = 255.255.255.0", "vip_nmask = 0.0.0.0"),
        ("timeout = 6", "timeout = 010"),
        ("port = 80", "port = http"),
        ("quiesce_server = 0", "some_old_word = 1"),
    ],
)
def test_check_62_an_odd_stored_value_survives_an_unrelated_edit(
    browser: InProcessBrowser, paths: Paths, line: str, odd: str
) -> None:
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace(line, odd, 1))
    before = paths.lvs_cf.read_text()
    page = browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Re-entry Time", "41").press("ACCEPT")
    assert page.status == 200
    after = before.replace("serial_no = 7", "serial_no = 8").replace("reentry = 15", "reentry = 41")
    assert paths.lvs_cf.read_text() == after


def test_check_61_blanks_in_a_name_become_underscores_and_the_page_says_so(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit smtp").fill("Name", "mail for us").press("ACCEPT")
    assert "Blanks in the name became _: it is mail_for_us now." in page.text
    assert watched.changed_lines() == ["- virtual smtp {", "+ virtual mail_for_us {"]
    assert page.url.endswith("virtual=virtual%5Bmail_for_us%5D")


def test_check_60_edit_opens_the_first_subsection_and_its_name_stands_on_all_three(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http")
    assert page.read.headings[0] == "EDIT VIRTUAL SERVER"
    for words in ("REAL SERVER", "MONITORING SCRIPTS", "VIRTUAL SERVER"):
        page = page.follow(words)
        assert "Virtual server http 192.0.2.80:80 tcp" in page.text
        current = re.findall(r'<a href="[^"]*" class="current" aria-current="page">([^<]*)</a>', page.html)
        assert words in current


@pytest.mark.parametrize(("tool", "service"), [("rup", "rstatd"), ("ruptime", "rwhod")])
def test_check_63_load_monitoring_names_the_service_that_each_real_server_must_run(
    browser: InProcessBrowser, watched: Watched, tool: str, service: str
) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http")
    assert f"Needs {service}" not in page.text
    page = page.fill("Load monitoring tool", tool).press("ACCEPT")
    assert f"Needs {service} on every real server." in page.text
    assert watched.changed_lines() == ["-      load_monitor = none", f"+      load_monitor = {tool}"]


def test_check_64_quiesce_is_written_as_a_one(browser: InProcessBrowser, watched: Watched) -> None:
    assert browser.open("/secure/virtual_servers").follow("Edit http").fill("Yes", "1").press("ACCEPT").status == 200
    assert watched.changed_lines() == ["-      quiesce_server = 0", "+      quiesce_server = 1"]


def test_check_65_persistence_is_written_with_its_mask_and_without_it_where_it_is_unused(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http").fill("Persistence", "300")
    page = page.fill("Persistence Network Mask", "255.255.255.0").press("ACCEPT")
    assert watched.changed_lines() == ["+      persistent = 300", "+      pmask = 255.255.255.0"]
    page.fill("Persistence Network Mask", "").press("ACCEPT")
    assert watched.changed_lines() == ["+      persistent = 300"]


def test_a_name_that_is_taken_is_refused(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit smtp").fill("Name", "http").press("ACCEPT")
    assert page.status == 422
    assert "There is a virtual server of this name already." in page.text
    assert watched.is_untouched()


def test_an_active_virtual_server_cannot_lose_its_address(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http")
    page = page.fill("Virtual IP Address", "0.0.0.0").press("ACCEPT")
    assert page.status == 422
    assert watched.is_untouched()


def test_check_59_activate_and_deactivate_change_one_line_of_exactly_that_block(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open("/secure/virtual_servers").press("Activate smtp")
    assert "smtp is activated." in page.text
    assert "No real server is active here." in page.text
    assert watched.changed_lines() == ["-      active = 0", "+      active = 1"]
    assert watched.path.read_text().count("active = 1") == 4
    page = page.press("Deactivate smtp")
    assert "smtp is deactivated." in page.text
    assert watched.changed_lines() == []


def test_check_59_a_row_acts_on_its_own_block_even_if_an_earlier_one_went_meanwhile(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    mine, theirs = log_in(), log_in()
    page = mine.open("/secure/virtual_servers")
    theirs.open("/secure/virtual_servers").follow("Delete http").press("DELETE http")
    assert page.press("Activate smtp").status == 200
    text = paths.lvs_cf.read_text()
    assert "virtual http" not in text
    assert "active = 1" in text


def test_activation_without_an_address_is_refused(browser: InProcessBrowser, paths: Paths) -> None:
    text = paths.lvs_cf.read_text().replace("address = 192.0.2.81", "address = 0.0.0.0")
    paths.lvs_cf.write_text(text)
    page = browser.open("/secure/virtual_servers").press("Activate smtp")
    assert page.status == 422
    assert "smtp was not activated: it has no virtual IP address yet." in page.text
    assert paths.lvs_cf.read_text() == text


def test_check_58_delete_asks_first_names_the_real_servers_and_then_removes_the_whole_block(
    browser: InProcessBrowser, watched: Watched, engine: KeeperEngine
) -> None:
    page = browser.open("/secure/virtual_servers").follow("Delete http")
    assert "With it go its 2 real servers:" in page.text
    assert "web1 (192.0.2.21)" in page.text
    assert "web2 (192.0.2.22)" in page.text
    assert watched.is_untouched()
    page = page.press("DELETE http")
    assert "Virtual server http is deleted." in page.text
    text = watched.path.read_text()
    assert "virtual http" not in text
    assert "web1" not in text
    assert "# Kept by hand." in text
    assert "virtual smtp {" in text
    (edits, _) = engine.named("save")[-1].what
    assert edits == [RemoveBlock(path="virtual[http]")]
    assert "http 192.0.2.80" in page.press("UNDO version 2").text
    assert watched.changed_lines() == []


def test_the_engine_is_told_who_saves_and_from_where(
    log_in: Callable[..., InProcessBrowser], engine: KeeperEngine
) -> None:
    log_in("192.0.2.200").open("/secure/virtual_servers").press("Deactivate http")
    call = engine.named("save")[-1]
    assert (call.user, call.from_) == ("piranha", "192.0.2.200")
    assert call.what[0] == [SetValues(path="virtual[http]", values={"active": "0"})]


def test_blocks_of_one_name_and_odd_names_can_be_edited(browser: InProcessBrowser, paths: Paths) -> None:
    block = "virtual {} {{\n     active = 0\n     address = 192.0.2.1 eth0:1\n     port = 80\n}}\n"
    names = ["[server_name]", "[server_name]", "a/b", '"two words"', "größe"]
    paths.lvs_cf.write_text("serial_no = 1\n" + "".join(block.format(name) for name in names))
    page = browser.open("/secure/virtual_servers")
    for number, title in enumerate(
        ["[server_name]", "[server_name] (number 2 of this name)", "a/b", "two words", "größe"]
    ):
        edited = page.follow(f"Edit {title}").fill("Application port", str(8000 + number)).press("ACCEPT")
        assert edited.status == 200, title
    ports = [line.split()[-1] for line in paths.lvs_cf.read_text().splitlines() if "port" in line]
    assert ports == ["8000", "8001", "8002", "8003", "8004"]


def test_a_block_that_is_not_there_is_a_plain_404(browser: InProcessBrowser) -> None:
    for path in ("virtual%5Bnone%5D", "", "nonsense%5B", "virtual%5Bhttp%5D.server%5Bweb1%5D"):
        page = browser.open(f"/secure/virtual_server?virtual={path}")
        assert page.status == 404
        assert "is not in lvs.cf" in page.text


def test_an_odd_device_is_told_when_the_address_beside_it_is_changed(browser: InProcessBrowser, paths: Paths) -> None:
    text = paths.lvs_cf.read_text().replace("192.0.2.81 eth0:2", "192.0.2.81 eth0")
    paths.lvs_cf.write_text(text)
    page = browser.open("/secure/virtual_servers").follow("Edit smtp").fill("Virtual IP Address", "192.0.2.82")
    page = page.press("ACCEPT")
    assert page.status == 422
    assert 'id="device-trouble1"' in page.html
    assert 'id="address-trouble1"' not in page.html
    assert page.fill("Device", "eth0:1").press("ACCEPT").status == 200
    assert "address = 192.0.2.82 eth0:1\n" in paths.lvs_cf.read_text()
