"""Sessions: they end when they should, for good, on the server; a restart keeps them; nothing typed is lost by one."""

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from flask import Flask

from piranha.errors import PiranhaError
from piranha.paths import Paths
from piranha.web import create_app, sessions
from piranha.web.auth import AUTO_UPDATE
from piranha.web.sessions import CLOCK_STEP_S, KEY_FILE, SESSIONS_MAX, Session, SessionFolder, begun
from tests.plain_browser import Page
from tests.web.conftest import PASSWORD, Clock, InProcessBrowser, KeeperClient, KeeperEngine, Watched
from tests.web.routes import MARKED, SentForm, csrf_token, every_form

IDLE_S = 1800.0


def with_cookie(app: Flask, cookie: str) -> InProcessBrowser:
    made = InProcessBrowser(app)
    made.session_cookie = cookie
    return made


def is_in(browser: InProcessBrowser) -> bool:
    status = browser.raw("GET", "/secure/help").status_code
    assert status in (200, 303)
    return status == 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gui"


def kept(folder: Path, now: float = 1000.0) -> tuple[SessionFolder, Session]:
    made = SessionFolder(folder)
    session = begun("piranha", "a line", now)
    made.begin(session, IDLE_S)
    return made, session


def test_a_session_is_found_by_its_id_by_whoever_serves_the_folder(folder: Path) -> None:
    early = SessionFolder(folder)  # as the process from which a dead worker is replaced
    made, session = kept(folder)
    for served in (made, early, SessionFolder(folder)):
        assert served.find(session.id) == session


def test_a_session_that_was_ended_is_ended_for_whoever_serves_the_folder(folder: Path) -> None:
    early = SessionFolder(folder)
    made, session = kept(folder)
    assert early.find(session.id) is not None
    made.end(session)
    for served in (made, early, SessionFolder(folder)):
        assert served.find(session.id) is None
    early.note_activity(session, 1100.0)
    assert made.find(session.id) is None


def test_activity_is_kept_and_nothing_else_of_a_session_changes(folder: Path) -> None:
    made, session = kept(folder)
    made.note_activity(session, 1100.5)
    again = SessionFolder(folder).find(session.id)
    assert again == Session(session.id, "piranha", 1000.0, 1100.5, "a line")


def test_the_folder_is_private_and_holds_no_id_that_a_cookie_could_carry(folder: Path) -> None:
    _, session = kept(folder)
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        assert session.id not in path.name
        assert path.is_dir() or session.id not in path.read_text()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"user": 1, "began": 1, "line": "x"}', "x" * 9000, "\ud7ff"])
def test_a_damaged_file_is_no_session(folder: Path, text: str) -> None:
    made, session = kept(folder)
    (path,) = (folder / sessions.SESSIONS_FOLDER).iterdir()
    path.write_text(text)
    assert made.find(session.id) is None


@pytest.mark.parametrize(
    "key", [None, "", "x", "../../session.key", "a\0b", "\ud800", 7, {"id": "x"}, ["x"], "x" * 100_000]
)
def test_no_cookie_that_is_no_id_finds_anything(folder: Path, key: object) -> None:
    assert kept(folder)[0].find(key) is None


def test_files_of_expired_sessions_go_at_the_next_log_in(folder: Path) -> None:
    made, old = kept(folder, 1000.0)
    future = begun("piranha", "a line", 9000.0)
    made.begin(future, IDLE_S)
    new = begun("piranha", "a line", 1000.0 + IDLE_S)
    made.begin(new, IDLE_S)
    assert [made.find(each.id) is not None for each in (old, future, new)] == [False, False, True]


def test_the_oldest_session_goes_where_there_are_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SESSIONS_MAX >= 100
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    made = SessionFolder(folder)
    begun_ones = [begun("piranha", "a line", 1000.0 + place) for place in range(5)]
    for each in begun_ones:
        made.begin(each, IDLE_S)
    assert [made.find(each.id) is not None for each in begun_ones] == [False, False, True, True, True]


def test_a_full_disk_keeps_nobody_out_and_log_out_ends_that_session_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SessionFolder(folder)

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sessions, "SESSIONS_MAX", 2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        some = [begun("piranha", "a line", 1000.0 + place) for place in range(3)]
        for each in some:
            made.begin(each, IDLE_S)
    assert [made.find(each.id) is not None for each in some] == [False, True, True]
    last = some[-1]
    made.note_activity(last, 1100.0)
    found = made.find(last.id)
    assert found is not None and found.seen == 1100.0
    made.end(last)
    made.note_activity(last, 1200.0)
    assert made.find(last.id) is None
    assert SessionFolder(folder).find(some[1].id) is None


def test_a_log_out_counts_even_if_the_disk_refuses_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, session = kept(folder)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    made.end(session)
    assert made.find(session.id) is None


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gui").write_text("")
    with pytest.raises(PiranhaError, match=r"cannot use its own folder .*gui"):
        SessionFolder(tmp_path / "gui")


@pytest.mark.parametrize(
    ("now", "line", "is_over"),
    [
        (1000.0, "a line", False),
        (1000.0 + 1799, "a line", False),
        (1000.0 + 1800, "a line", True),
        (1000.0 - CLOCK_STEP_S, "a line", False),
        (1000.0 - CLOCK_STEP_S - 1, "a line", True),
        (1000.0, "another line", True),
        (1000.0, "", True),
    ],
)
def test_a_session_is_over_when_its_time_or_its_password_line_is(now: float, line: str, is_over: bool) -> None:
    assert begun("piranha", "a line", 1000.0).is_over(now, line, 1800.0, 9000.0) is is_over
    busy = Session("x", "piranha", now - 9000.0, now, "a line")
    assert busy.is_over(now, "a line", 1800.0, 9000.0)


def test_7_8_a_new_password_ends_the_session_at_the_next_request(paths: Paths, browser: InProcessBrowser) -> None:
    assert browser.raw("GET", "/secure/control").status_code == 200
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    paths.passwd.write_text(f"piranha:{cheap.hash('another one entirely')}\n")
    assert browser.raw("GET", "/secure/control").status_code == 303
    assert "Your session has ended" in browser.open("/secure/control").text


def test_the_same_password_set_again_ends_the_session_too(paths: Paths, browser: InProcessBrowser) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    paths.passwd.write_text(f"piranha:{cheap.hash(PASSWORD)}\n")
    assert browser.raw("GET", "/secure/control").status_code == 303


def test_a_removed_password_file_ends_the_session(paths: Paths, browser: InProcessBrowser) -> None:
    paths.passwd.unlink()
    assert browser.raw("GET", "/secure/control").status_code == 303


def test_a_session_expires_after_half_an_hour_without_activity(browser: InProcessBrowser, clock: Clock) -> None:
    for _ in range(3):
        clock.now += 29 * 60
        assert browser.raw("GET", "/secure/control").status_code == 200
    clock.now += 30 * 60
    assert browser.raw("GET", "/secure/control").status_code == 303


def test_a_page_that_refreshes_itself_is_no_activity(browser: InProcessBrowser, clock: Clock) -> None:
    page = browser.open("/secure/control?auto=1")
    found = re.search(r'http-equiv="refresh" content="10; url=([^"]+)"', page.html)
    assert found is not None
    address = found[1].replace("&amp;", "&")
    for _ in range(2):
        clock.now += 14 * 60
        assert browser.raw("GET", address).status_code == 200
    clock.now += 14 * 60
    assert browser.raw("GET", address).status_code == 303


def test_a_session_ends_after_twelve_hours_whatever_was_done(browser: InProcessBrowser, clock: Clock) -> None:
    for _ in range(12 * 3):
        assert browser.raw("GET", "/secure/control").status_code == 200
        clock.now += 20 * 60
    assert browser.raw("GET", "/secure/control").status_code == 303


def test_log_out_ends_the_session_on_the_server(
    app: Flask, browser: InProcessBrowser, make_app: Callable[[], Flask]
) -> None:
    cookie = browser.session_cookie
    assert "You are logged out." in browser.open("/secure/control").press("LOG OUT").text
    for served in (app, make_app()):
        thief = InProcessBrowser(served)
        thief.session_cookie = cookie
        assert thief.raw("GET", "/secure/control").status_code == 303


def test_log_out_is_no_link(browser: InProcessBrowser) -> None:
    assert browser.raw("GET", "/logout").status_code == 405
    assert browser.raw("GET", "/secure/control").status_code == 200


def test_sessions_survive_a_restart_of_the_gui(browser: InProcessBrowser, make_app: Callable[[], Flask]) -> None:
    cookie = browser.session_cookie
    again = InProcessBrowser(make_app())
    again.session_cookie = cookie
    assert again.raw("GET", "/secure/control").status_code == 200


def test_the_signing_key_is_private_and_made_anew_if_it_was_cut_short(
    paths: Paths, make_app: Callable[[], Flask]
) -> None:
    make_app()
    key = paths.gui_state / KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text().strip()) == 64
    key.write_text("abc")
    assert len(make_app().config["SECRET_KEY"]) == 64


def test_a_cookie_signed_with_another_key_is_worth_nothing(
    paths: Paths, browser: InProcessBrowser, make_app: Callable[[], Flask]
) -> None:
    cookie = browser.session_cookie
    (paths.gui_state / KEY_FILE).unlink()
    again = InProcessBrowser(make_app())
    again.session_cookie = cookie
    assert again.raw("GET", "/secure/control").status_code == 303


def test_the_cookie_is_for_this_site_alone_and_not_for_scripts(stranger: InProcessBrowser) -> None:
    given = stranger.raw("GET", "/login").headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    assert "Path=/" in given


def test_what_was_known_before_the_log_in_is_worth_nothing_after_it(
    stranger: InProcessBrowser, watched: Watched
) -> None:
    found = re.search(r'name="csrf_token" value="([^"]+)"', stranger.open("/login").html)
    assert found is not None
    stranger.log_in(PASSWORD)
    body = urlencode({"csrf_token": found[1], "do": "enable"})
    assert stranger.raw("POST", "/secure/redundancy", body).status_code == 400
    assert watched.is_untouched()


def test_a_form_sent_after_the_session_ended_comes_back_after_the_log_in(
    browser: InProcessBrowser, clock: Clock, watched: Watched
) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http").fill("Re-entry Time", "77")
    clock.now += 31 * 60
    page = page.press("ACCEPT")
    assert page.status == 401
    assert "Log in, and you get back what you typed." in page.text
    assert "is still kept" not in page.text
    page = page.fill("Password", "wrong").press("Login")
    assert page.status == 401 and "What you typed before the log-in is still kept" in page.text
    clock.now += 2
    page = page.fill("Password", PASSWORD).press("Login")
    assert "You are logged in again." in page.text
    assert watched.is_untouched()
    page = page.press("Continue")
    assert page.status == 200
    assert watched.changed_lines() == ["-      reentry = 15", "+      reentry = 77"]


def test_a_form_of_another_site_is_not_kept_for_after_the_log_in(stranger: InProcessBrowser, watched: Watched) -> None:
    stranger.open("/login")
    body = urlencode({"do": "deactivate", "csrf_token": "made-up"})
    answer = stranger.raw("POST", "/secure/virtual_server/status?virtual=virtual%5Bhttp%5D", body)
    assert answer.status_code == 401
    assert "held" not in answer.get_data(as_text=True)
    assert watched.is_untouched()


def test_the_end_of_a_session_is_told_once(browser: InProcessBrowser, clock: Clock) -> None:
    clock.now += 31 * 60
    for _ in range(3):
        assert browser.raw("GET", "/secure/control").status_code == 303
    assert browser.open("/login").text.count("Your session has ended.") == 1


@pytest.mark.parametrize(("site", "is_kept"), [("same-origin", True), ("none", False)])
def test_a_form_sent_without_any_cookie_is_kept_if_the_browser_vouches_for_it(
    stranger: InProcessBrowser, watched: Watched, site: str, is_kept: bool
) -> None:
    stranger.extra = {"Sec-Fetch-Site": site}
    page = stranger.send("/secure/global_settings", [("primary", "192.0.2.77"), ("csrf_token", "from before")])
    assert page.status == 401
    assert ("192.0.2.77" in page.html) is is_kept
    page = page.fill("Password", PASSWORD).press("Login")
    assert ("192.0.2.77" in page.text) is is_kept
    assert watched.is_untouched()


def test_the_old_password_line_brings_no_session_back(paths: Paths, browser: InProcessBrowser) -> None:
    line = paths.passwd.read_text()
    paths.passwd.write_text(line.replace("$m=8", "$m=9"))
    assert not is_in(with_cookie(browser.client.application, browser.session_cookie))
    paths.passwd.write_text(line)
    assert not is_in(browser)


def test_a_clock_that_is_set_back_brings_no_expired_session_back(browser: InProcessBrowser, clock: Clock) -> None:
    clock.now += 30 * 60
    assert not is_in(with_cookie(browser.client.application, browser.session_cookie))
    clock.now -= 25 * 60
    assert not is_in(browser)


def test_how_long_sessions_live_can_be_set(paths: Paths, engine: KeeperEngine, clock: Clock) -> None:
    app = create_app(
        paths,
        engine_for=lambda user, from_: KeeperClient(engine, user, from_),
        wall_clock=clock,
        steady_clock=clock,
        idle_s=120.0,
        absolute_s=300.0,
    )
    browser = InProcessBrowser(app)
    assert browser.log_in(PASSWORD).status == 200
    for wait_s, is_alive in ((119, True), (119, True), (61, True), (1, False)):
        clock.now += wait_s
        assert is_in(browser) is is_alive
    assert browser.log_in(PASSWORD).status == 200
    clock.now += 120
    assert not is_in(browser)


def refreshing(page: Page) -> list[str]:
    return [
        url.replace("&amp;", "&") for url in re.findall(r'http-equiv="refresh" content="\d+; url=([^"]+)"', page.html)
    ]


def test_every_page_that_loads_itself_again_says_so_in_the_address(
    browser: InProcessBrowser, every_secure_page: list[str]
) -> None:
    found = [url for page in every_secure_page for url in refreshing(browser.open(page))]
    found += refreshing(browser.open("/secure/control?auto=1"))
    assert found
    assert all(f"{AUTO_UPDATE}=1" in url for url in found)


@pytest.mark.parametrize(
    ("headers", "is_activity"),
    [
        ({}, True),
        ({"Sec-Fetch-Dest": "document"}, True),
        ({"Sec-Fetch-Dest": "empty"}, False),
        ({"Sec-Fetch-Dest": "image"}, False),
    ],
)
def test_what_a_script_or_an_image_asks_for_is_no_activity(
    browser: InProcessBrowser, clock: Clock, headers: dict[str, str], is_activity: bool
) -> None:
    clock.now += 20 * 60
    assert browser.raw("GET", "/secure/control", **headers).status_code == 200
    clock.now += 20 * 60
    assert is_in(browser) is is_activity


def test_what_somebody_sends_from_a_page_that_refreshes_itself_is_activity(
    browser: InProcessBrowser, clock: Clock
) -> None:
    page = browser.open(refreshing(browser.open("/secure/control?auto=1"))[0])
    clock.now += 20 * 60
    assert page.press("Drain web1").status == 200
    clock.now += 20 * 60
    assert is_in(browser)


def test_a_restart_that_follows_a_log_out_brings_nothing_back(
    browser: InProcessBrowser, make_app: Callable[[], Flask]
) -> None:
    early, cookie = make_app(), browser.session_cookie  # as the process from which a dead worker is replaced
    assert is_in(with_cookie(early, cookie))
    browser.open("/secure/help").press("LOG OUT")
    assert not is_in(with_cookie(early, cookie))


def test_two_routers_behind_tunnels_of_one_machine_do_not_log_each_other_out(
    app: Flask, tmp_path: Path, paths: Paths, engine: KeeperEngine
) -> None:
    other = create_app(Paths(tmp_path / "other"), engine_for=lambda user, from_: KeeperClient(engine, user, from_))
    names = {each.config["SESSION_COOKIE_NAME"] for each in (app, other)}
    assert len(names) == 2
    assert all(re.fullmatch("piranha-[0-9a-f]{8}", name) for name in names)


def test_two_browsers_have_two_sessions_and_one_log_out_ends_one(log_in: Callable[..., InProcessBrowser]) -> None:
    mine, theirs = log_in(), log_in()
    mine.open("/secure/help").press("LOG OUT")
    assert not is_in(mine)
    assert is_in(theirs)


def test_a_log_in_makes_a_new_session_and_ends_the_one_that_the_browser_had(
    app: Flask, browser: InProcessBrowser, log_in: Callable[..., InProcessBrowser]
) -> None:
    # A cookie of the attacker's own, planted in somebody's browser, is not what that person logs in with.
    planted = browser.session_cookie
    victim = with_cookie(app, planted)
    body = urlencode({"csrf_token": csrf_token(victim.open("/secure/help")), "user": "piranha", "password": PASSWORD})
    assert victim.raw("POST", "/login", body).status_code == 303
    assert is_in(victim)
    assert not is_in(with_cookie(app, planted))


def test_the_cookie_holds_an_id_and_no_more_of_a_session(app: Flask, browser: InProcessBrowser) -> None:
    interface = app.session_interface
    sent = f"{app.config['SESSION_COOKIE_NAME']}={browser.session_cookie}"
    with app.test_request_context(headers={"Cookie": sent}) as context:
        held = interface.open_session(app, context.request)
    assert held is not None
    assert isinstance(held["piranha"], str)
    assert set(held) <= {"piranha", "csrf_token", "_user_id", "_fresh", "_id", "_flashes"}


@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
def test_under_tls_the_cookie_goes_over_tls_alone(stranger: InProcessBrowser, scheme: str, is_secure: bool) -> None:
    answer = stranger.client.get("/login", base_url=f"{scheme}://localhost")
    assert ("Secure" in answer.headers["Set-Cookie"]) is is_secure


@pytest.fixture
def forms(app: Flask, browser: InProcessBrowser, paths: Paths, engine: KeeperEngine) -> list[SentForm]:
    """Give every form of the panels."""
    paths.lvs_cf.write_text(MARKED)
    engine.apply_now()
    paths.lvs_cf.write_text(MARKED.replace("keepalive = 6", "keepalive = 7"))
    return [form for form in every_form(app, browser, paths) if not form.endpoint.startswith("auth.")]


def test_every_form_that_came_too_late_is_given_back_after_the_log_in(
    app: Flask, paths: Paths, forms: list[SentForm], clock: Clock, log_in: Callable[..., InProcessBrowser]
) -> None:
    for form in forms:
        browser = log_in()
        body = form.body(csrf_token(browser.open("/secure/help")), weight="7", timeout="9", send="XQTYPED")
        text = paths.lvs_cf.read_text()
        clock.now += 31 * 60
        late = browser.raw("POST", form.address, body)
        assert late.status_code == 401, form
        page = Page(browser, "/login", 401, late.get_data(as_text=True)).fill("Password", PASSWORD).press("Login")
        assert paths.lvs_cf.read_text() == text
        if not form.fields:
            continue  # nothing was typed: nothing is asked
        assert "You are logged in again." in page.text
        (again,) = (each for each in page.read.forms if each.buttons[0].text == "Continue")
        assert again.action == form.address
        sent = [(made.name, made.value) for _, made in again.fields if made.name != "csrf_token"]
        typed = {"weight": "7", "timeout": "9", "send": "XQTYPED"}
        assert sent == [(name, typed.get(name, value)) for name, value in form.fields], form
        answer = page.press("Continue")
        assert answer.status < 500, form
        paths.lvs_cf.write_text(text)
