"""The administrator's way and the panels, without JavaScript. Numbers are those of the reference for the GUI, 7."""

import os
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from flask import Flask

from piranha.config.load import load
from piranha.paths import Paths
from tests.plain_browser import Page, every_page
from tests.web.conftest import PASSWORD, InProcessBrowser, KeeperEngine, Watched
from tests.web.routes import MARKED, SentForm, csrf_token, every_form

GLOBAL = "/secure/global_settings"
SCRIPTS = "/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D"
NAT = "NAT – Requests and replies pass through the router, which rewrites the addresses."
SHOP = r"""serial_no = 11
primary = 192.0.2.11
primary_private = 10.0.0.1
backup_active = 1
backup = 192.0.2.12
backup_private = 10.0.0.2
heartbeat = 1
heartbeat_port = 539
keepalive = 6
deadtime = 18
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
virtual shop {
     active = 1
     address = 192.0.2.90 eth0:1
     port = 80
     send = "GET /health HTTP/1.0\r\n\r\n"
     expect = "HTTP/1.1 200"
     use_regex = 0
     load_monitor = none
     scheduler = rr
     protocol = tcp
     timeout = 6
     reentry = 15
     quiesce_server = 0
     server web1 {
         address = 10.0.0.21
         active = 1
         weight = 1
     }
     server web2 {
         address = 10.0.0.22
         active = 1
         weight = 2
     }
}
"""


def filled(page: Page, texts: dict[str, str], button: str = "ACCEPT") -> Page:
    """Type texts into a form and press its button; the page that comes must be one of success."""
    for label, text in texts.items():
        page.fill(label, text)
    page = page.press(button)
    assert page.status == 200, page.text
    return page


def test_check_12_the_whole_way_is_gone_by_links_fields_and_buttons_alone(
    stranger: InProcessBrowser, paths: Paths
) -> None:
    paths.lvs_cf.unlink()
    page = stranger.open("http://localhost/").follow("Login")
    page = page.fill("User", "piranha").fill("Password", PASSWORD).press("Login")
    page = page.follow("GLOBAL SETTINGS")
    assert page.status == 503
    page = page.press("Create")
    page = filled(
        page,
        {
            "Primary server public IP": "192.0.2.11",
            "Primary server private IP": "10.0.0.1",
            NAT: "1",
            "NAT Router IP": "10.0.0.254",
            "NAT Router netmask": "255.255.255.0",
            "NAT Router device": "eth1:1",
        },
    )
    page = page.follow("REDUNDANCY").press("ENABLE")
    page = filled(page, {"Redundant server public IP": "192.0.2.12", "Redundant server private IP": "10.0.0.2"})
    page = filled(
        page.follow("VIRTUAL SERVERS").follow("ADD"),
        {"Name": "shop", "Virtual IP Address": "192.0.2.90", "Scheduling": "Round robin"},
    )
    page = page.follow("Edit shop").follow("REAL SERVER")
    for name, address, weight in (("web1", "10.0.0.21", "1"), ("web2", "10.0.0.22", "2")):
        page = filled(page.follow("ADD"), {"Name": name, "Address": address, "Weight": weight})
        page = page.press(f"Activate {name}")
    page = filled(
        page.follow("MONITORING SCRIPTS"), {"Send": r"GET /health HTTP/1.0\r\n\r\n", "Expect": "HTTP/1.1 200"}
    )
    page = page.follow("VIRTUAL SERVERS").press("Activate shop")
    assert paths.lvs_cf.read_text() == SHOP
    page = page.follow("See the difference, the plan, and apply it").press("Apply")
    assert page.read.headings[0] == "CONTROL / MONITORING" and "TCP 192.0.2.90:80 rr (shop)" in page.text
    assert paths.running_cf.read_text() == SHOP
    assert "Your session" not in page.text
    assert page.press("LOG OUT").status == 200


def test_check_12_no_page_needs_an_image_or_a_script_to_be_used(browser: InProcessBrowser) -> None:
    for url, page in every_page(browser).items():
        assert not re.findall(r'<input[^>]+type="(?:image|button)"|<button[^>]+type="button"', page.html), url
        assert not re.findall(r'\son[a-z]+="|href="javascript:', page.html), url
        assert all(words for words, _ in page.read.links), f"{url}: a link without words"
        assert all(re.search(r'\salt="', image) for image in re.findall(r"<img[^>]+>", page.html)), url
        assert all(button.text for form in page.read.forms for button in form.buttons), f"{url}: a button without words"
        assert all(form.buttons for form in page.read.forms), f"{url}: a form without a button"


@pytest.mark.parametrize("is_missing", [True, False])
def test_check_14_every_page_tells_of_an_lvs_cf_that_is_not_there_with_owner_group_and_mode(
    browser: InProcessBrowser, paths: Paths, every_secure_page: list[str], is_missing: bool
) -> None:
    paths.lvs_cf.unlink()
    if not is_missing:
        paths.lvs_cf.mkdir()
    before = sorted(str(each) for each in paths.root.rglob("etc/**/*"))
    for address in every_secure_page:
        if address.partition("?")[0] in ("/secure/history/diff", "/secure/control/fragment"):
            continue  # parts of a page, or about two texts that are there
        page = browser.open(address)
        assert page.status in (200, 503), address
        assert page.text.count("the group piranha") == 1, f"{address}: {page.text}"
        assert re.search(r"root and the group piranha[, ]+with mode 0640", page.text), address
    assert sorted(str(each) for each in paths.root.rglob("etc/**/*")) == before


@pytest.mark.parametrize(("network", "is_told"), [("nat", True), ("tunnel", True), ("direct", False)])
def test_check_47_a_blank_private_address_is_accepted_with_a_note_but_for_direct_routing(
    browser: InProcessBrowser, paths: Paths, network: str, is_told: bool
) -> None:
    text = paths.lvs_cf.read_text()
    lines = f"primary_private = 10.0.0.1\nbackup_private = 10.0.0.2\nnetwork = {network}"
    paths.lvs_cf.write_text(text.replace("network = direct", lines))
    assert "a single point of failure" not in browser.open(GLOBAL).text.replace("is a single point of failure", "")
    page = browser.open(GLOBAL).fill("Primary server private IP", "").press("ACCEPT")
    assert page.status == 200
    told = "heartbeats travel on the public network alone: a single point of failure"
    assert (told in page.text) is is_told
    assert "_private" not in paths.lvs_cf.read_text()


@pytest.mark.parametrize("label", ["Primary server public IP", "Primary server private IP"])
@pytest.mark.parametrize("typed", ["300.1.2.3", "192.0.2", "0.0.0.0", "192.0.2.1/24", "two words", "<b>"])
def test_check_48_an_invalid_address_stays_in_its_field_with_an_error_and_nothing_is_written(
    browser: InProcessBrowser, watched: Watched, label: str, typed: str
) -> None:
    page = browser.open(GLOBAL).fill(label, typed).fill("TCP timeout (seconds)", "900").press("ACCEPT")
    assert page.status == 422
    name = "primary" if "public" in label else "primary_private"
    assert f'id="{name}-trouble1"' in page.html and "Nothing was saved." in page.text
    assert (page.value(label), page.value("TCP timeout (seconds)")) == (typed, "900")
    assert watched.is_untouched()


def test_check_53_a_blank_heartbeat_port_is_539(browser: InProcessBrowser, paths: Paths) -> None:
    page = browser.open("/secure/redundancy").press("ENABLE")
    page = filled(page, {"Redundant server public IP": "192.0.2.12", "Heartbeat runs on port": "1050"})
    assert load(paths.lvs_cf.read_text()).cluster.heartbeat_port == 1050
    page = filled(page, {"Heartbeat runs on port": ""})
    assert load(paths.lvs_cf.read_text()).cluster.heartbeat_port == 539
    assert "Blank means 539." in page.text


@pytest.mark.parametrize("way", ["emptied", "BLANK SEND"])
def test_check_69_without_send_it_is_absent_and_help_says_that_this_is_a_connect_test_only(
    browser: InProcessBrowser, watched: Watched, way: str
) -> None:
    page = browser.open(SCRIPTS)
    page = page.press(way) if way == "BLANK SEND" else page.fill("Send", "").press("ACCEPT")
    assert page.status == 200
    assert watched.changed_lines() == [r'-      send = "GET / HTTP/1.0\r\n\r\n"']
    assert page.value("Send") == ""
    assert "With Send and Expect blank it is a connect test only" in page.text


def test_check_70_a_program_is_stored_in_quotes_and_help_says_that_send_is_ignored(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open(SCRIPTS)
    assert "Send is ignored then." in page.text and "%h stands for the address of each real server" in page.text
    page = page.fill("Sending Program", "/usr/local/bin/check %h").press("ACCEPT")
    assert watched.changed_lines() == ['+      send_program = "/usr/local/bin/check %h"']
    assert page.value("Sending Program") == "/usr/local/bin/check %h"
    assert "The sending program wins; Send is ignored." in page.text


@pytest.mark.parametrize("label", ["Send", "Expect"])
def test_check_71_escapes_come_back_as_the_two_characters_that_were_typed(
    browser: InProcessBrowser, paths: Paths, label: str
) -> None:
    typed = r"HELO a\r\nQUIT\r\n"
    page = browser.open(SCRIPTS).fill(label, typed).press("ACCEPT")
    assert page.value(label) == typed
    assert f'{label.lower()} = "{typed}"\n' in paths.lvs_cf.read_text()
    assert browser.open(SCRIPTS).value(label) == typed


class Touched:
    """The files that are opened to be written, and the programs that are started, while `is_on`."""

    def __init__(self) -> None:
        self.is_on = False
        self.files: set[str] = set()
        self.programs: list[object] = []

    def hear(self, event: str, words: tuple[object, ...]) -> None:
        """Hear of one thing that Python does (sys.addaudithook)."""
        if not self.is_on:
            return
        if event == "open":
            path, _mode, flags = words
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if writes and isinstance(path, str | bytes | os.PathLike):
                self.files.add(os.fsdecode(path))
        elif event in ("os.rename", "os.remove", "os.truncate", "os.chmod", "os.symlink", "os.link"):
            self.files.update(os.fsdecode(each) for each in words if isinstance(each, str | bytes | os.PathLike))
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "pty.spawn"):
            self.programs.append(words[0])


@pytest.fixture(scope="session")
def ear() -> Touched:
    """Give what hears everything that this process does. It cannot be taken away again; while it is off it is deaf."""
    made = Touched()
    sys.addaudithook(made.hear)
    return made


@pytest.fixture
def touched(ear: Touched) -> Iterator[Touched]:
    """Give what is touched from now on."""
    ear.files, ear.programs, ear.is_on = set(), [], True
    yield ear
    ear.is_on = False


@pytest.fixture
def marked(paths: Paths) -> Paths:
    """Give a root whose lvs.cf has one of everything."""
    paths.lvs_cf.write_text(MARKED)
    return paths


@pytest.fixture
def forms(marked: Paths, engine: KeeperEngine, app: Flask, browser: InProcessBrowser) -> list[SentForm]:
    """Give every form of the GUI, as somebody who is logged in got it."""
    engine.keeper.catch_up()
    marked.lvs_cf.write_text(MARKED.replace("keepalive = 6", "keepalive = 7"))
    return every_form(app, browser, marked)


def test_check_76_whatever_is_done_in_the_gui_touches_no_file_but_piranhas_own_and_starts_nothing(
    forms: list[SentForm], browser: InProcessBrowser, paths: Paths, touched: Touched
) -> None:
    # A system's own files, in case that one knows them below its root.
    systems = [paths.root / each for each in ("etc/sysctl.conf", "etc/sysctl.d/9.conf", "etc/sysconfig/iptables")]
    for path in systems:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# untouched\n")
    before, text = [path.stat().st_mtime_ns for path in systems], paths.lvs_cf.read_bytes()
    touched.files.clear()
    token = csrf_token(browser.open("/secure/help"))
    for form in forms:
        if form.endpoint not in ("auth.login", "auth.logout"):
            assert browser.raw("POST", form.address, form.body(token)).status_code != 500, form
    assert paths.lvs_cf.read_bytes() != text
    own = re.compile(r"(etc/sysconfig/ha/\.?lvs\.cf|var/lib/piranha/|var/lib/piranha-gui/|run/piranha/)")
    files = {each for each in touched.files if "__pycache__" not in each}
    assert str(paths.lvs_cf) in files
    assert {each for each in files if not own.match(each.removeprefix(f"{paths.root}/"))} == set()
    assert [path.stat().st_mtime_ns for path in systems] == before
    assert {path.read_text() for path in systems} == {"# untouched\n"}
    assert touched.programs == []


@pytest.mark.parametrize("address", ["/secure/redundancy", "/secure/plan"])
def test_check_76_with_a_backup_router_the_page_lists_what_else_may_need_copying(
    browser: InProcessBrowser, paths: Paths, address: str
) -> None:
    assert "TO BE COPIED TO THE BACKUP ROUTER" not in browser.open(address).text
    paths.lvs_cf.write_text(MARKED)
    text = browser.open(address).text
    assert "TO BE COPIED TO THE BACKUP ROUTER" in text
    for file in ("/etc/sysctl.conf", "/etc/sysctl.d/", "/etc/sysconfig/iptables", "/etc/nftables.conf"):
        assert file in text
    assert str(paths.lvs_cf) in text and "/usr/lib/XQPROGRAM" in text
    assert "Nothing that is done in the GUI touches the settings of the kernel or the packet filter" in text


def test_check_79_until_apply_every_page_says_that_what_runs_is_older(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths, every_secure_page: list[str]
) -> None:
    told = "lvs.cf is not what runs."
    assert told not in browser.open("/secure/control").text
    page = browser.open("/secure/real_server?server=virtual%5Bhttp%5D.server%5Bweb1%5D")
    assert told in filled(page, {"Weight": "5"}).text
    assert "weight = 5" not in paths.running_cf.read_text()
    for address in every_secure_page:
        if "fragment" not in address:
            assert told in browser.open(address).text, address
    page = browser.open("/secure/global_settings").follow("See the difference, the plan, and apply it").press("Apply")
    assert page.status == 200 and told not in page.text
    assert paths.running_cf.read_bytes() == paths.lvs_cf.read_bytes()
    assert told not in browser.open("/secure/virtual_servers").text


def test_the_address_of_the_help_of_one_virtual_server_names_it(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/virtual_server?virtual=virtual%5Bsmtp%5D").follow("what to type there")
    assert "virtual[smtp]" in unquote(page.url)
