"""Log-in and who gets in: the password, the delays, the audit. Numbers are those of the reference for the GUI, 7."""

import importlib
import threading
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from flask import Flask

from piranha import passwords
from piranha.paths import Paths
from piranha.web.auth import NOTES_AT_ONCE, OPEN, own_address
from piranha.web.throttle import Throttle, delay_s
from tests.web.conftest import PASSWORD, Clock, InProcessBrowser, KeeperClient, KeeperEngine, Watched

SECRETS = ("192.0.2.", "web1", "serial_no", "virtual[")


def test_what_is_open_is_what_the_manual_says_and_no_more() -> None:
    assert {"auth.login", "pages.welcome", "pages.about_login", "static", "bootstrap.static"} == OPEN


def test_7_37_open_pages_show_nothing_of_the_configuration(stranger: InProcessBrowser) -> None:
    for address in ("/", "/about_login", "/login"):
        page = stranger.open(address)
        assert page.status == 200
        assert not any(secret in page.html for secret in SECRETS)


def test_7_13_the_right_password_leads_to_control_and_monitoring(stranger: InProcessBrowser) -> None:
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
def test_7_13_a_wrong_log_in_is_refused_with_the_same_words(
    stranger: InProcessBrowser, user: str, password: str
) -> None:
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
def test_7_7_without_a_password_nobody_gets_in_and_the_page_says_what_to_do(
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


def test_7_13_failures_make_an_address_wait_longer_and_longer_but_never_for_good(
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
    browser.lose_cookie()
    assert browser.log_in(PASSWORD).status == 200
    refused = page.press("ACCEPT")
    assert refused.status == 400
    assert "78" in refused.text
    assert not [button for form in refused.read.forms for button in form.buttons if button.text == "Continue"]
    browser.extra = {"Sec-Fetch-Site": "same-origin"}
    assert page.press("ACCEPT").press("Continue").status == 200
    assert watched.changed_lines() == ["-      reentry = 15", "+      reentry = 78"]


def test_our_own_origin_is_let_through(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open("/secure/virtual_servers")
    browser.extra = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert page.press("Deactivate http").status == 200
    assert not watched.is_untouched()


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "[", "nonsense"])
def test_an_origin_that_is_none_is_another_site(browser: InProcessBrowser, watched: Watched, origin: str) -> None:
    answer = browser.raw(
        "POST", "/secure/virtual_server/status?virtual=virtual%5Bhttp%5D", "do=deactivate", Origin=origin
    )
    assert answer.status_code == 403
    assert watched.is_untouched()


@pytest.mark.parametrize("user", ["piranha", "root", "guest", "", "x" * 9000])
@pytest.mark.parametrize("has_password", [True, False])
def test_every_wrong_log_in_costs_the_same_whoever_it_is_for(
    paths: Paths, stranger: InProcessBrowser, monkeypatch: pytest.MonkeyPatch, user: str, has_password: bool
) -> None:
    stored = passwords.hash_of("another one entirely")
    if has_password:
        paths.passwd.write_text(f"piranha:{stored}\n")
    else:
        paths.passwd.unlink()
    verified: list[str] = []
    verify: Callable[..., bool] = passwords._CONTEXT.verify

    def counted(secret: bytes, against: str) -> bool:
        verified.append(against.rpartition("$")[0].rpartition("$")[0])
        return verify(secret, against)

    monkeypatch.setattr(passwords._CONTEXT, "verify", counted)
    assert stranger.open("/login").fill("User", user).fill("Password", "wrong").press("Login").status == 401
    assert verified == [stored.rpartition("$")[0].rpartition("$")[0]], "one argon2 hash with our own parameters"


def test_an_address_that_must_wait_costs_no_hash(stranger: InProcessBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stranger.open("/login").fill("Password", "wrong").press("Login").status == 401
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("it must not look"))
    assert stranger.open("/login").fill("Password", "wrong").press("Login").status == 429


@pytest.mark.parametrize(
    ("first", "second", "must_wait"),
    [
        ("2001:db8:7:7::1", "2001:db8:7:7:ffff::2", True),
        ("2001:db8:7:7::1", "2001:db8:7:8::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::1", "127.0.0.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_whoever_fails_holds_up_the_own_address_or_ipv6_network_and_nobody_else(
    app: Flask, first: str, second: str, must_wait: bool
) -> None:
    page = InProcessBrowser(app, first).open("/login")
    assert page.fill("Password", "wrong").press("Login").status == 401
    other = InProcessBrowser(app, second).open("/login").fill("Password", PASSWORD).press("Login")
    assert other.status == (429 if must_wait else 200)


def test_a_flood_from_a_thousand_networks_locks_the_only_account_out_for_nobody_else(
    app: Flask, engine: KeeperEngine, log_in: Callable[..., InProcessBrowser]
) -> None:
    throttle = app.extensions["piranha"].throttle
    for network in range(1000):
        for _ in range(30):
            throttle.failed(f"2001:db8:{network:x}::1", 0.0)
    assert log_in("192.0.2.200").raw("GET", "/secure/control").status_code == 200


@pytest.mark.parametrize("kind", ["apr_md5_crypt", "ldap_sha1", "des_crypt"])
def test_an_old_hash_is_named_on_every_page_with_the_cure(
    paths: Paths, stranger: InProcessBrowser, every_secure_page: list[str], kind: str
) -> None:
    old = getattr(importlib.import_module("passlib.hash"), kind)
    paths.passwd.write_text(f"piranha:{old.hash('secret')}\n")
    assert stranger.open("/login").fill("Password", "secret").press("Login").status == 200
    for address in every_secure_page:
        page = stranger.open(address)
        assert "The password is stored in an old way that is quickly guessed." in page.text, address
        assert "piranha-passwd" in page.text
    paths.passwd.write_text(f"piranha:{passwords.hash_of(PASSWORD)}\n")
    assert "stored in an old way" not in stranger.log_in(PASSWORD).text


def test_7_45_change_password_leads_to_a_page_that_says_how_and_changes_nothing(
    browser: InProcessBrowser, watched: Watched, paths: Paths
) -> None:
    line = paths.passwd.read_text()
    page = browser.open("/secure/control").follow("CHANGE PASSWORD")
    assert page.read.headings[0] == "PASSWORD"
    for words in (
        "the user piranha",
        "# piranha-passwd",
        "takes effect immediately",
        "no proper noun",
        "This page changes nothing",
    ):
        assert words in page.text
    assert [button.text for form in page.read.forms for button in form.buttons] == ["LOG OUT"]
    assert browser.raw("POST", "/secure/password", "").status_code == 405
    assert paths.passwd.read_text() == line
    assert watched.is_untouched()


def told(engine: KeeperEngine) -> list[tuple[object, ...]]:
    return [(call.user, call.from_, *call.what) for call in engine.named("audit_login")]


def test_the_audit_is_told_of_log_ins_refusals_and_log_outs(app: Flask, engine: KeeperEngine, clock: Clock) -> None:
    browser = InProcessBrowser(app, "192.0.2.7")
    browser.open("/login").fill("Password", "wrong").press("Login")
    browser.open("/login").fill("Password", PASSWORD).press("Login")  # too early: nobody looked at it
    clock.now += 1
    browser.open("/login").fill("User", "my-Secret-77").fill("Password", PASSWORD).press("Login")
    clock.now += 2
    browser.log_in(PASSWORD).press("LOG OUT")
    assert told(engine) == [
        ("piranha", "192.0.2.7", "login", "wrong password"),
        ("", "192.0.2.7", "login", "no such user"),  # what was typed there may be a password
        ("piranha", "192.0.2.7", "login", ""),
        ("piranha", "192.0.2.7", "logout", ""),
    ]


def test_an_engine_that_does_not_answer_keeps_nobody_out_and_nobody_in(
    app: Flask, engine: KeeperEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.is_dead = True
    browser = InProcessBrowser(app)
    assert browser.open("/login").fill("Password", PASSWORD).press("Login").status == 200
    assert "the audit misses a login: The engine does not answer" in caplog.text
    assert "You are logged out." in browser.open("/secure/help").press("LOG OUT").text
    assert browser.raw("GET", "/secure/control").status_code == 303


def test_an_engine_that_hangs_is_waited_for_after_the_answer_and_not_by_all_threads(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from_engine, asked = threading.Event(), threading.Semaphore(0)

    def hang(client: KeeperClient, what: str, refused: str = "") -> None:
        asked.release()
        from_engine.wait(20)

    monkeypatch.setattr(KeeperClient, "audit_login", hang)
    answers = []
    for place in range(NOTES_AT_ONCE + 1):
        browser = InProcessBrowser(app, f"192.0.2.{place}")
        page = browser.open("/login")
        fields = {made.name: made.value for form in page.read.forms for _, made in form.fields} | {"password": "wrong"}
        # Not buffered: the client has its answer before the connection is let go.
        answer = browser.client.post("/login", data=fields, environ_overrides={"REMOTE_ADDR": browser.address})
        assert answer.status_code == 401
        answers.append(answer)
    threads = [threading.Thread(target=answer.close) for answer in answers[:-1]]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert asked.acquire(timeout=10)
    answers[-1].close()
    assert "the audit misses a login: too many wait for the engine" in caplog.text
    from_engine.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
