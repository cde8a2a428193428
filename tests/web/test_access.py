"""The two `.htaccess` files in front of the pages, read at every request; and what an address may not do too often."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from piranha.paths import Paths
from piranha.web.access import FILE_BYTES_MAX
from tests.web.conftest import Clock, InProcessBrowser, KeeperEngine

OPEN_TO_ALL = "Order deny,allow\nAllow from all\n"
ONLY_LOCAL = "Order deny,allow\nDeny from all\nAllow from 127.0.0.1\n"
TWO_OFFICES = "Order deny,allow\nDeny from all\nAllow from 192.168.1.100\nAllow from 172.16.57\n"
SOMEWHERE = "192.0.2.7"


def put(paths: Paths, text: str, *, is_inner: bool) -> None:
    folder = paths.web / "secure" if is_inner else paths.web
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".htaccess").write_text(text)


def statuses(browser: InProcessBrowser) -> dict[str, int]:
    pages = ("/", "/about_login", "/static/css/piranha.css", "/login", "/secure/control", "/nowhere")
    return {page: browser.raw("GET", page).status_code for page in pages}


def reaches_the_log_in(browser: InProcessBrowser, address: str) -> bool:
    browser.address = address
    page = browser.open("/login")
    assert page.status in (200, 403)
    assert ("assword" in page.text) is (page.status == 200)
    return page.status == 200


def test_check_15_when_all_are_allowed_any_client_reaches_the_log_in(paths: Paths, stranger: InProcessBrowser) -> None:
    """check 15"""
    put(paths, OPEN_TO_ALL, is_inner=True)
    assert all(reaches_the_log_in(stranger, address) for address in ("127.0.0.1", SOMEWHERE, "2001:db8::1"))


def test_check_16_when_only_this_machine_is_allowed_any_other_gets_403_without_a_prompt(
    paths: Paths, stranger: InProcessBrowser
) -> None:
    """check 16"""
    put(paths, ONLY_LOCAL, is_inner=True)
    assert reaches_the_log_in(stranger, "127.0.0.1")
    assert reaches_the_log_in(stranger, "::1")
    assert not reaches_the_log_in(stranger, SOMEWHERE)
    assert not reaches_the_log_in(stranger, "2001:db8::1")
    answer = stranger.raw("GET", "/secure/control")
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers


def test_check_17_an_address_and_a_partial_address(paths: Paths, stranger: InProcessBrowser) -> None:
    """check 17"""
    put(paths, TWO_OFFICES, is_inner=True)
    let_in = ["192.168.1.100", *(f"172.16.57.{last}" for last in range(1, 255))]
    assert all(reaches_the_log_in(stranger, address) for address in let_in)
    refused = ["192.168.1.101", "172.16.5.7", "172.16.58.1", "172.16.56.255"]
    assert not any(reaches_the_log_in(stranger, address) for address in refused)


def test_check_18_a_change_of_the_file_counts_at_the_very_next_request(
    paths: Paths, stranger: InProcessBrowser
) -> None:
    """check 18"""
    assert reaches_the_log_in(stranger, SOMEWHERE)
    for _ in range(3):
        put(paths, ONLY_LOCAL, is_inner=True)
        assert not reaches_the_log_in(stranger, SOMEWHERE)
        # The same length, and maybe the same time: the bytes count.
        put(paths, ONLY_LOCAL.replace("127.0.0.1", SOMEWHERE), is_inner=True)
        assert reaches_the_log_in(stranger, SOMEWHERE)
    (paths.web / "secure" / ".htaccess").unlink()
    assert reaches_the_log_in(stranger, "198.51.100.1")


def test_check_19_the_inner_file_leaves_welcome_and_help_and_refuses_the_rest_before_any_prompt(
    paths: Paths, stranger: InProcessBrowser
) -> None:
    """check 19"""
    put(paths, ONLY_LOCAL, is_inner=True)
    stranger.address = SOMEWHERE
    assert statuses(stranger) == {
        "/": 200,
        "/about_login": 200,
        "/static/css/piranha.css": 200,
        "/login": 403,
        "/secure/control": 403,
        "/nowhere": 403,
    }
    assert "assword" not in stranger.open("/login").text


def test_check_19_the_outer_file_refuses_everything(paths: Paths, stranger: InProcessBrowser) -> None:
    """check 19"""
    put(paths, ONLY_LOCAL, is_inner=False)
    stranger.address = SOMEWHERE
    assert set(statuses(stranger).values()) == {403}
    assert reaches_the_log_in(stranger, "127.0.0.1")


def test_check_20_when_nothing_matches_order_allow_deny_refuses(paths: Paths, stranger: InProcessBrowser) -> None:
    """check 20"""
    put(paths, "Order allow,deny\nAllow from 203.0.113.0/24\n", is_inner=True)
    assert not reaches_the_log_in(stranger, SOMEWHERE)
    assert reaches_the_log_in(stranger, "203.0.113.200")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Order deny,allow\nAllow form all\n", 2),
        ("Allow from all\n\nAllow from router.example.com\n", 3),
        ("Allow from \\\n10.0.0.1 \\\nnobody\n", 1),
        ("<Limit GET>\nAllow from all\n</Limit>\n", 1),
    ],
)
def test_check_21_a_line_that_is_not_understood_refuses_everybody_and_the_log_names_file_and_line(
    paths: Paths, stranger: InProcessBrowser, caplog: pytest.LogCaptureFixture, text: str, line: int
) -> None:
    """check 21"""
    put(paths, text, is_inner=True)
    page = stranger.open("/login")
    assert page.status == 403
    assert not any(word in page.text for word in ("form", "nobody", "example", "Limit"))
    assert f"{paths.web / 'secure' / '.htaccess'}:{line}:" in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FROB"])
def test_the_rules_hold_for_every_method(paths: Paths, stranger: InProcessBrowser, method: str) -> None:
    put(paths, ONLY_LOCAL, is_inner=True)
    stranger.address = SOMEWHERE
    assert [stranger.raw(method, page).status_code for page in ("/login", "/secure/control", "/x")] == [403] * 3


def test_a_secure_page_needs_both_files(paths: Paths, stranger: InProcessBrowser) -> None:
    put(paths, ONLY_LOCAL, is_inner=False)
    put(paths, OPEN_TO_ALL, is_inner=True)
    stranger.address = SOMEWHERE
    assert stranger.raw("GET", "/secure/control").status_code == 403
    put(paths, OPEN_TO_ALL, is_inner=False)
    put(paths, ONLY_LOCAL, is_inner=True)
    assert stranger.raw("GET", "/secure/control").status_code == 403
    put(paths, OPEN_TO_ALL, is_inner=True)
    assert stranger.raw("GET", "/secure/control").status_code == 303


def test_a_logged_in_browser_is_refused_as_soon_as_the_rules_say_so(paths: Paths, browser: InProcessBrowser) -> None:
    put(paths, "Order allow,deny\n", is_inner=True)
    assert browser.raw("GET", "/secure/control").status_code == 403


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _huge(path: Path) -> None:
    path.write_text("#" + "\n" * FILE_BYTES_MAX)


@pytest.mark.parametrize("make", [_folder, _loop, _dangling, _pipe, _huge])
@pytest.mark.parametrize("is_inner", [False, True])
def test_what_cannot_be_read_refuses_everybody_and_is_named(
    paths: Paths,
    stranger: InProcessBrowser,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path], None],
    is_inner: bool,
) -> None:
    """check 21"""
    folder = paths.web / "secure" if is_inner else paths.web
    folder.mkdir(parents=True)
    make(folder / ".htaccess")
    assert stranger.raw("GET", "/login").status_code == 403
    assert str(folder / ".htaccess") in caplog.text


@pytest.mark.parametrize("is_inner", [False, True])
def test_a_folder_that_is_none_refuses_everybody(paths: Paths, stranger: InProcessBrowser, is_inner: bool) -> None:
    folder = paths.web / "secure" if is_inner else paths.web
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to("nowhere")
    assert stranger.raw("GET", "/login").status_code == 403
    folder.unlink()
    folder.write_text("")
    assert stranger.raw("GET", "/login").status_code == 403


def test_a_refusal_is_logged_once_a_minute_for_each_address_and_reason(
    paths: Paths, stranger: InProcessBrowser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    put(paths, ONLY_LOCAL, is_inner=True)
    stranger.address = SOMEWHERE
    for _ in range(50):
        assert stranger.raw("GET", "/login").status_code == 403
    assert caplog.text.count("refused") == 1
    stranger.address = "198.51.100.9"
    stranger.raw("GET", "/login")
    assert "198.51.100.9" in caplog.text
    caplog.clear()
    clock.now += 61
    stranger.address = SOMEWHERE
    stranger.raw("GET", "/login")
    assert "(49 more like this)" in caplog.text
    put(paths, "Nonsense\n", is_inner=True)
    stranger.raw("GET", "/login")
    assert ".htaccess:1:" in caplog.text


def test_many_addresses_do_not_fill_the_log(
    paths: Paths, stranger: InProcessBrowser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    put(paths, ONLY_LOCAL, is_inner=True)
    caplog.set_level(logging.WARNING, "piranha.web.access")
    for number in range(250):
        stranger.address = f"198.51.100.{number}"
        stranger.raw("GET", "/login")
    assert len(caplog.records) == 100
    clock.now += 61
    stranger.raw("GET", "/login")
    assert "(150 more like this)" in caplog.text


def test_check_37_the_first_page_leads_to_the_log_in_and_its_help_and_shows_nothing_of_the_configuration(
    stranger: InProcessBrowser, engine: KeeperEngine
) -> None:
    """check 37"""
    welcome = stranger.open("/")
    pages = [welcome, welcome.follow("Login"), welcome.follow("Help on logging in")]
    assert [page.status for page in pages] == [200] * 3
    assert "Password" in pages[1].text
    assert "piranha-passwd" in pages[2].text
    of_the_file = ("192.0.2.11", "192.0.2.80", "192.0.2.81", "web1", "web2", "smtp", "eth0", "Kept by hand", "router1")
    assert [word for page in pages for word in of_the_file if word in page.html] == []
    assert engine.calls == []
