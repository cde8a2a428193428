"""Log-in, log-out, sessions, and that nothing is open that should not be."""

import re
import threading
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from flask import Flask

from piranha import passwords
from piranha.paths import Paths
from piranha.web import sessions
from piranha.web.auth import OPEN, own_address
from piranha.web.throttle import Throttle, delay_s
from tests.web.conftest import PASSWORD, Clock, InProcessBrowser, KeeperEngine, Watched

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FROB")
SECRETS = ("192.0.2.", "web1", "serial_no", "virtual[")


def every_address(app: Flask) -> list[str]:
    """Return the address of every route, with arguments that would show something."""
    found = ["/nowhere", "/secure/", "/secure/nowhere", "/secure/../secure/control", "//secure/control"]
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in OPEN:
            found.append(f"{rule.rule}?virtual=virtual%5Bhttp%5D&server=virtual%5Bhttp%5D.server%5Bweb1%5D")
    assert len(found) > 30
    return found


@pytest.mark.parametrize("method", METHODS)
def test_without_a_session_nothing_is_shown_and_nothing_changed(
    app: Flask, stranger: InProcessBrowser, watched: Watched, engine: KeeperEngine, method: str
) -> None:
    for address in every_address(app):
        body = urlencode({"do": "activate", "token": "x"}) if method in ("POST", "PUT", "PATCH", "DELETE") else None
        answer = stranger.raw(method, address, body)
        assert answer.status_code in (303, 401), (method, address, answer.status_code)
        assert not any(secret in answer.get_data(as_text=True).partition("?next=")[0] for secret in SECRETS)
        if answer.status_code == 303:
            assert answer.headers["Location"].startswith("/login?next=")
    assert watched.is_untouched()
    assert engine.calls == []


def test_what_is_open_is_what_the_manual_says_and_no_more() -> None:
    assert {"auth.login", "pages.welcome", "pages.about_login", "static", "bootstrap.static"} == OPEN


def test_open_pages_show_nothing_of_the_configuration(stranger: InProcessBrowser) -> None:
    for address in ("/", "/about_login", "/login"):
        page = stranger.open(address)
        assert page.status == 200
        assert not any(secret in page.html for secret in SECRETS)


def test_the_right_password_leads_to_control_and_monitoring(stranger: InProcessBrowser) -> None:
    page = stranger.log_in(PASSWORD)
    assert page.status == 200
    assert page.read.headings[0] == "CONTROL / MONITORING"


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("piranha", "wrong"),
        ("piranha", ""),
        ("root", PASSWORD),
        ("", ""),
        ("piranha", PASSWORD + " "),
        ("x" * 9000, "y"),
    ],
)
def test_a_wrong_log_in_is_refused_with_the_same_words(stranger: InProcessBrowser, user: str, password: str) -> None:
    page = stranger.open("/login").fill("User", user).fill("Password", password).press("Login")
    assert page.status == 401
    assert "User name or password is wrong." in page.text
    assert stranger.raw("GET", "/secure/control").status_code == 303
    assert not password or f'value="{password}"' not in page.html


def test_another_line_of_the_password_file_is_no_account(
    paths: Paths, password_line: str, stranger: InProcessBrowser
) -> None:
    paths.passwd.write_text(password_line + password_line.replace("piranha:", "guest:"))
    page = stranger.open("/login").fill("User", "guest").fill("Password", PASSWORD).press("Login")
    assert page.status == 401


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "piranha:\n", "piranha:plain text\n"])
def test_without_a_password_nobody_gets_in_and_the_page_says_what_to_do(
    paths: Paths, stranger: InProcessBrowser, text: str | None
) -> None:
    if text is None:
        paths.passwd.unlink()
    else:
        paths.passwd.write_text(text)
    page = stranger.open("/login")
    assert "No password is set" in page.text
    assert "piranha-passwd" in page.text
    for password in ("", "plain text", PASSWORD):
        assert stranger.open("/login").fill("Password", password).press("Login").status in (401, 429)


def test_guesses_that_arrive_together_do_not_all_pass_before_the_first_one_fails(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_here, all_have_looked, looks = threading.Barrier(8), threading.Event(), []
    wait_s, verify = Throttle.wait_s, passwords.verify

    def look(throttle: Throttle, client: str | None, now: float) -> float:
        looks.append(client)
        if len(looks) == 8:
            all_have_looked.set()
        return wait_s(throttle, client, now)

    def verify_late(text: str, user: str, password: str) -> bool:
        all_have_looked.wait(0.3)  # whoever can look now, before the first guess is found wrong, does
        return verify(text, user, password)

    monkeypatch.setattr(Throttle, "wait_s", look)
    monkeypatch.setattr(passwords, "verify", verify_late)
    pages = [InProcessBrowser(app).open("/login").fill("Password", "wrong") for _ in range(8)]
    statuses: list[int] = []

    def guess(place: int) -> None:
        all_here.wait(10)
        statuses.append(pages[place].press("Login").status)

    threads = [threading.Thread(target=guess, args=(place,)) for place in range(len(pages))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401, *[429] * 7]


def test_failures_make_an_address_wait_longer_and_longer_but_never_for_good(
    stranger: InProcessBrowser, log_in: Callable[..., InProcessBrowser], clock: Clock
) -> None:
    waited = []
    for _ in range(7):
        assert stranger.open("/login").fill("Password", "wrong").press("Login").status == 401
        page = stranger.open("/login").fill("Password", PASSWORD).press("Login")
        assert page.status == 429
        assert stranger.answer is not None
        seconds = int(stranger.answer.headers["Retry-After"])
        assert f"Try again in {seconds} seconds" in page.text
        waited.append(seconds)
        clock.now += seconds
    assert waited == [1, 2, 4, 8, 16, 30, 30]
    log_in("192.0.2.77")
    assert stranger.open("/login").fill("Password", PASSWORD).press("Login").status == 200


def test_delays_are_kept_per_address_and_forgotten() -> None:
    throttle = Throttle()
    assert throttle.wait_s("192.0.2.1", 0.0) == 0
    throttle.failed("192.0.2.1", 0.0)
    throttle.failed("192.0.2.1", 0.0)
    assert throttle.wait_s("192.0.2.1", 0.5) == 1.5
    assert throttle.wait_s("192.0.2.2", 0.5) == 0
    assert throttle.wait_s("192.0.2.1", 2.0) == 0
    throttle.failed("2001:db8::1", 0.0)
    assert throttle.wait_s("2001:db8::2", 0.0) == 1.0
    assert throttle.wait_s("2001:db8:0:1::2", 0.0) == 0
    throttle.succeeded("192.0.2.1")
    throttle.failed("192.0.2.1", 10.0)
    assert throttle.wait_s("192.0.2.1", 10.0) == 1.0
    assert throttle.wait_s("192.0.2.1", 10.0 + 16 * 60) == 0
    assert [delay_s(count) for count in (0, 1, 5, 6, 1000)] == [0, 1, 16, 30, 30]


def test_the_memory_of_failures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("piranha.web.throttle.ADDRESSES_MAX", 3)
    throttle = Throttle()
    for last in range(5):
        throttle.failed(f"192.0.2.{last}", 0.0)
    assert [throttle.wait_s(f"192.0.2.{last}", 0.0) > 0 for last in range(5)] == [False, False, True, True, True]


def test_a_new_password_ends_the_session_at_the_next_request(paths: Paths, browser: InProcessBrowser) -> None:
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
    cookie = browser.client.get_cookie("piranha")
    assert cookie is not None
    assert "You are logged out." in browser.open("/secure/control").press("LOG OUT").text
    for served in (app, make_app()):
        thief = InProcessBrowser(served)
        thief.client.set_cookie("piranha", cookie.value)
        assert thief.raw("GET", "/secure/control").status_code == 303


def test_log_out_is_no_link(browser: InProcessBrowser) -> None:
    assert browser.raw("GET", "/logout").status_code == 405
    assert browser.raw("GET", "/secure/control").status_code == 200


def test_sessions_survive_a_restart_of_the_gui(browser: InProcessBrowser, make_app: Callable[[], Flask]) -> None:
    cookie = browser.client.get_cookie("piranha")
    assert cookie is not None
    again = InProcessBrowser(make_app())
    again.client.set_cookie("piranha", cookie.value)
    assert again.raw("GET", "/secure/control").status_code == 200


def test_the_signing_key_is_private_and_made_anew_if_it_was_cut_short(
    paths: Paths, make_app: Callable[[], Flask]
) -> None:
    make_app()
    key = paths.gui_state / sessions.KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text().strip()) == 64
    key.write_text("abc")
    assert len(make_app().config["SECRET_KEY"]) == 64


def test_a_cookie_signed_with_another_key_is_worth_nothing(
    paths: Paths, browser: InProcessBrowser, make_app: Callable[[], Flask]
) -> None:
    cookie = browser.client.get_cookie("piranha")
    assert cookie is not None
    (paths.gui_state / sessions.KEY_FILE).unlink()
    again = InProcessBrowser(make_app())
    again.client.set_cookie("piranha", cookie.value)
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


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "x",
        "",
        None,
    ],
)
def test_only_own_addresses_are_gone_to_after_the_log_in(stranger: InProcessBrowser, wanted: str | None) -> None:
    assert own_address(wanted) is None
    page = stranger.open("/login?" + urlencode({"next": wanted or ""})).fill("Password", PASSWORD).press("Login")
    assert page.url.endswith("/secure/control")


def test_after_the_log_in_the_wanted_page_is_shown(stranger: InProcessBrowser) -> None:
    page = stranger.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D")
    assert page.url.endswith("/login?next=/secure/virtual_server?virtual%3Dvirtual%255Bhttp%255D")
    page = page.fill("Password", PASSWORD).press("Login")
    assert page.url.endswith("/secure/virtual_server?virtual=virtual%5Bhttp%5D")


def test_a_form_sent_after_the_session_ended_comes_back_after_the_log_in(
    browser: InProcessBrowser, clock: Clock, watched: Watched
) -> None:
    page = browser.open("/secure/virtual_servers").follow("Edit http").fill("Re-entry Time", "77")
    clock.now += 31 * 60
    page = page.press("ACCEPT")
    assert page.status == 401
    assert "Log in, and you get back what you typed." in page.text
    page = page.fill("Password", "wrong").press("Login")
    assert page.status == 401
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


@pytest.mark.parametrize("token", ["", "made-up", None])
def test_every_post_needs_the_token_of_its_session(
    app: Flask, browser: InProcessBrowser, watched: Watched, engine: KeeperEngine, token: str | None
) -> None:
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert len(posts) >= 14
    engine.calls.clear()
    for rule in posts:
        fields = {"do": "activate", "token": "x", "name": "n"} | ({} if token is None else {"csrf_token": token})
        address = f"{rule.rule}?virtual=virtual%5Bhttp%5D&server=virtual%5Bhttp%5D.server%5Bweb1%5D"
        assert browser.raw("POST", address, urlencode(fields)).status_code == 400, rule.rule
    assert watched.is_untouched()
    assert not [call for call in engine.calls if call.name not in ("config", "status")]


def test_the_token_of_another_session_is_worth_nothing(
    log_in: Callable[..., InProcessBrowser], watched: Watched
) -> None:
    mine, theirs = log_in(), log_in()
    page = mine.open("/secure/virtual_servers")
    page.browser = theirs
    refused = page.press("Deactivate http")
    assert refused.status == 400
    assert "Nothing was changed" in refused.text
    assert watched.is_untouched()


def test_a_form_from_before_the_last_log_in_can_be_sent_again_where_the_browser_vouches_for_it(
    log_in: Callable[..., InProcessBrowser], watched: Watched
) -> None:
    browser = log_in()
    page = browser.open("/secure/virtual_servers").follow("Edit http").fill("Re-entry Time", "78")
    browser.client.delete_cookie("piranha")
    assert browser.log_in(PASSWORD).status == 200
    refused = page.press("ACCEPT")
    assert refused.status == 400
    assert "78" in refused.text
    assert not [button for form in refused.read.forms for button in form.buttons if button.text == "Continue"]
    browser.extra = {"Sec-Fetch-Site": "same-origin"}
    assert page.press("ACCEPT").press("Continue").status == 200
    assert watched.changed_lines() == ["-      reentry = 15", "+      reentry = 78"]


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_a_form_that_another_site_sent_is_refused(
    browser: InProcessBrowser, watched: Watched, headers: dict[str, str]
) -> None:
    page = browser.open("/secure/virtual_servers")
    browser.extra = headers
    assert page.press("Deactivate http").status == 403
    assert watched.is_untouched()


def test_our_own_origin_is_let_through(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_servers")
    browser.extra = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert page.press("Deactivate http").status == 200
    assert not watched.is_untouched()


def test_an_old_hash_is_named_in_a_banner(paths: Paths, stranger: InProcessBrowser) -> None:
    # apr1, as old htpasswd programs wrote it; the password is "secret word".
    from passlib.hash import apr_md5_crypt

    paths.passwd.write_text(f"piranha:{apr_md5_crypt.hash('secret word')}\n")
    page = stranger.open("/login").fill("Password", "secret word").press("Login")
    assert "The password is stored in an old way" in page.text


def test_every_page_carries_the_headers_that_keep_it_to_itself(
    browser: InProcessBrowser, stranger: InProcessBrowser
) -> None:
    for who, address in ((browser, "/secure/control"), (stranger, "/"), (stranger, "/login"), (browser, "/nowhere")):
        headers = who.raw("GET", address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


def test_a_body_that_is_too_big_is_refused(browser: InProcessBrowser, watched: Watched) -> None:
    answer = browser.raw("POST", "/secure/global_settings", "a=" + "x" * 2_000_000)
    assert answer.status_code in (400, 413)
    assert watched.is_untouched()


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "[", "nonsense"])
def test_an_origin_that_is_none_is_another_site(browser: InProcessBrowser, watched: Watched, origin: str) -> None:
    answer = browser.raw(
        "POST", "/secure/virtual_server/status?virtual=virtual%5Bhttp%5D", "do=deactivate", Origin=origin
    )
    assert answer.status_code == 403
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
