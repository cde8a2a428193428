"""Check 7.38, fault 8.1 of the reference for the GUI: every route, every method, everybody who may not.

Routes come from the URL map, forms from the pages: what is added later is tested too.
"""

from collections.abc import Callable, Iterator
from urllib.parse import unquote_plus

import pytest
from flask import Flask

from piranha.paths import Paths
from piranha.web.auth import OPEN
from tests.web.conftest import Clock, InProcessBrowser, KeeperEngine, Watched
from tests.web.routes import MARKED, MARKS, METHODS, READS, SentForm, csrf_token, every_form, every_route

TELLS = {"audit_login"}
REFUSALS = {303, 400, 401, 403, 405}
WITH_BODY = ("POST", "PUT", "PATCH", "DELETE", "FROB")


@pytest.fixture
def paths(paths: Paths) -> Paths:
    """Give a root whose lvs.cf is full of words that no stranger may see."""
    paths.lvs_cf.write_text(MARKED)
    return paths


@pytest.fixture
def forms(app: Flask, engine: KeeperEngine, browser: InProcessBrowser, paths: Paths) -> list[SentForm]:
    """Give every form, its fields and tokens as somebody who is logged in got them. lvs.cf is not what runs."""
    paths.lvs_cf.write_text(MARKED.replace("keepalive = 6", "keepalive = 7"))
    return every_form(app, browser, paths)


@pytest.fixture
def watched(forms: list[SentForm], engine: KeeperEngine, paths: Paths) -> Iterator[Watched]:
    """Give lvs.cf as it is once the forms are known; nothing was called since."""
    now = paths.lvs_cf.stat()
    engine.calls.clear()
    yield Watched(paths.lvs_cf, paths.lvs_cf.read_bytes(), now.st_mtime_ns, now.st_ino)


def marks_in(text: str) -> set[str]:
    plain = unquote_plus(text)
    return {mark for mark in MARKS if mark in text or mark in plain}


class Asker:
    """Sends everything there is, and says what came back that should not have."""

    def __init__(self, app: Flask, forms: list[SentForm]) -> None:
        self.requests = [
            (method, endpoint, address, "x=1" if method in WITH_BODY else None)
            for endpoint, address in every_route(app)
            for method in METHODS
        ]
        self.forms = forms

    def everything(self, token: str) -> Iterator[tuple[str, str, str, str | None]]:
        """Yield method, endpoint, address and body: every route bare, and every form with this token."""
        for method, endpoint, address, body in self.requests:
            yield method, endpoint, address, f"csrf_token={token}&{body}" if body else None
        for form in self.forms:
            if form.endpoint != "auth.logout":
                for method in ("POST", "PUT"):
                    yield method, form.endpoint, form.address, form.body(token)


Situation = Callable[[Flask, InProcessBrowser, Clock, Paths], str | None]


def no_session(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> None:
    """Leave only the cookie that the log-in page gives."""


def nonsense(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> str:
    cookie = browser.session_cookie
    return cookie[:-4] + ("AAAA" if cookie[-4:] != "AAAA" else "BBBB")


def idle(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> str:
    clock.now += 31 * 60
    return browser.session_cookie


def too_old(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> str:
    for _ in range(36):
        assert browser.raw("GET", "/secure/help").status_code == 200
        clock.now += 20 * 60
    return browser.session_cookie


def logged_out(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> str:
    cookie = browser.session_cookie
    assert "You are logged out." in browser.open("/secure/help").press("LOG OUT").text
    return cookie


def new_password(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> str:
    paths.passwd.write_text(paths.passwd.read_text().replace("$m=8", "$m=9"))
    return browser.session_cookie


def no_password(app: Flask, browser: InProcessBrowser, clock: Clock, paths: Paths) -> str:
    paths.passwd.unlink()
    return browser.session_cookie


@pytest.mark.parametrize(
    "situation",
    [no_session, nonsense, idle, too_old, logged_out, new_password, no_password],
    ids=lambda each: each.__name__,
)
def test_7_38_without_a_live_session_no_route_shows_or_changes_anything_whatever_the_method(
    app: Flask,
    browser: InProcessBrowser,
    clock: Clock,
    paths: Paths,
    engine: KeeperEngine,
    forms: list[SentForm],
    watched: Watched,
    situation: Situation,
) -> None:
    stranger = InProcessBrowser(app)
    # A token that fits the cookie, so that nothing but the missing session stands in the way.
    token = csrf_token((stranger if situation is no_session else browser).open("/secure/help"))
    cookie = situation(app, browser, clock, paths)
    engine.calls.clear()
    for method, endpoint, address, body in Asker(app, forms).everything(token):
        if cookie is not None:
            stranger.session_cookie = cookie
        answer = stranger.raw(method, address, body)
        asked = (method, address, body, answer.status_code)
        page = answer.get_data(as_text=True)
        if endpoint in OPEN:
            assert answer.status_code in REFUSALS | {200, 429}, asked
        else:
            assert answer.status_code in ((303,) if method in ("GET", "HEAD") else (401,)), asked
        if answer.status_code == 303:
            assert answer.headers["Location"].startswith("/login?next="), asked
        assert marks_in(page + str(answer.headers)) <= marks_in(address + (body or "")), asked
        assert {call.name for call in engine.calls} <= TELLS, asked
    assert watched.is_untouched()
    assert "keepalive = 7" not in paths.running_cf.read_text()


@pytest.mark.parametrize("has_session", [True, False])
@pytest.mark.parametrize("is_inner", [True, False])
def test_7_38_a_refused_address_sees_and_changes_nothing_logged_in_or_not(
    app: Flask,
    browser: InProcessBrowser,
    paths: Paths,
    engine: KeeperEngine,
    forms: list[SentForm],
    watched: Watched,
    is_inner: bool,
    has_session: bool,
) -> None:
    token = csrf_token(browser.open("/secure/help"))
    refused = browser if has_session else InProcessBrowser(app)
    folder = paths.web / "secure" if is_inner else paths.web
    folder.mkdir(parents=True)
    (folder / ".htaccess").write_text("Order deny,allow\nDeny from all\nAllow from 192.0.2.9\n")
    engine.calls.clear()
    for method, endpoint, address, body in Asker(app, forms).everything(token):
        answer = refused.raw(method, address, body)
        asked = (method, address, body, answer.status_code)
        if is_inner and endpoint in OPEN - {"auth.login"} and answer.status_code != 403:
            assert answer.status_code == 200, asked
        else:
            assert answer.status_code == 403, asked
            assert "<form" not in answer.get_data(as_text=True), asked
        assert not marks_in(answer.get_data(as_text=True) + str(answer.headers)), asked
    assert engine.calls == []
    assert watched.is_untouched()


@pytest.mark.parametrize("token", ["made-up", None, "of another session"])
def test_7_38_without_the_token_of_the_session_no_form_changes_anything(
    app: Flask,
    browser: InProcessBrowser,
    engine: KeeperEngine,
    forms: list[SentForm],
    watched: Watched,
    token: str | None,
) -> None:
    if token == "of another session":
        token = csrf_token(InProcessBrowser(app).open("/login"))
    for method, endpoint, address, body in Asker(app, forms).everything(token or ""):
        if body is not None:
            sent = body.replace("csrf_token=", "other=") if token is None else body
            answer = browser.raw(method, address, sent)
            asked = (method, address, body, answer.status_code)
            assert answer.status_code in ((400, 405) if endpoint else (308, 404, 405)), asked
            assert marks_in(answer.get_data(as_text=True)) <= marks_in(address + body), asked
    assert {call.name for call in engine.calls} <= READS
    assert watched.is_untouched()


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_7_38_a_form_that_another_site_sends_changes_nothing_even_with_the_right_token(
    app: Flask,
    browser: InProcessBrowser,
    engine: KeeperEngine,
    forms: list[SentForm],
    watched: Watched,
    header: dict[str, str],
) -> None:
    token = csrf_token(browser.open("/secure/help"))
    engine.calls.clear()
    for form in forms:
        answer = browser.raw("POST", form.address, form.body(token), **header)
        assert answer.status_code == 403, form
    assert engine.calls == [] or {call.name for call in engine.calls} <= READS
    assert watched.is_untouched()
    assert browser.raw("GET", "/secure/control").status_code == 200


def test_no_method_but_post_changes_anything_even_for_who_may(
    app: Flask, browser: InProcessBrowser, engine: KeeperEngine, forms: list[SentForm], watched: Watched
) -> None:
    token = csrf_token(browser.open("/secure/help"))
    for form in forms:
        for method in METHODS:
            if method != "POST":
                query = "&" if "?" in form.address else "?"
                answer = browser.raw(method, f"{form.address}{query}{form.body(token)}", form.body(token))
                assert answer.status_code < 500, (method, form)
    assert {call.name for call in engine.calls} <= READS
    assert watched.is_untouched()


def test_who_may_sees_all_of_it_and_each_form_does_something(
    app: Flask, browser: InProcessBrowser, engine: KeeperEngine, forms: list[SentForm], watched: Watched, paths: Paths
) -> None:
    # Else the tests above could not fail.
    shown: set[str] = set()
    for _, address in every_route(app):
        answer = browser.raw("GET", address)
        assert answer.status_code < 500, address
        shown |= marks_in(answer.get_data(as_text=True))
    assert shown == set(MARKS)
    token = csrf_token(browser.open("/secure/help"))
    text = paths.lvs_cf.read_text()
    for form in forms:
        if form.endpoint in ("auth.login", "auth.logout"):
            continue
        if form.endpoint == "pages.create":
            paths.lvs_cf.unlink()
        engine.calls.clear()
        answer = browser.raw("POST", form.address, form.body(token))
        does = {call.name for call in engine.calls} - READS
        # ADD offers no address yet, ADOPT no file, what UNDO was about is over, one button may want another one's tick:
        # that refuses them, not a gate. Enter in the field of a drain's minutes keeps them, and drains nobody.
        is_kept = "keep" in dict(form.fields)
        assert does or is_kept or answer.status_code in (400, 409, 422), (form, answer.status_code)
        assert "does not belong to your present session" not in answer.get_data(as_text=True), form
        paths.lvs_cf.write_text(text)
