"""Log-in and log-out, and the one gate that every request passes (deny by default).

Rule 1: what is not in OPEN needs a session, whatever the method, whether the address exists or not.
Rule 2: the password file is read at every request; a changed password line ends the session at the next one.
Rule 3: what somebody typed is not lost because a session ended: the log-in page carries it and gives it back. It does
        so only for a form that our own page sent, else a foreign page could plant one.
"""

import json
import logging
import math
import threading
from urllib.parse import quote_plus, urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import validate_csrf
from wtforms import ValidationError

from piranha import passwords
from piranha.errors import PiranhaError
from piranha.web import uploads
from piranha.web.sessions import SEEN_EVERY_S, Session, begun
from piranha.web.state import USER, gui
from piranha.web.texts import _

OPEN = frozenset({"auth.login", "pages.welcome", "pages.about_login", "static", "bootstrap.static"})

SESSION_KEY = "piranha"
AUTO_UPDATE = "refreshed"
"""This query argument marks a request that a page made by itself: it is no activity of a person."""

FORM_FIELDS_MAX = 500
HELD_BYTES_MAX = 900_000
"""Of what is kept over a log-in, as the browser sends it: the form of a log-in may be no larger than another one."""
PASSWORD_FILE_BYTES_MAX = 1024 * 1024
VERIFICATIONS_AT_ONCE = 1
"""Each takes a processor for a while on purpose; and nobody guesses faster by guessing many times at once."""
NOTES_AT_ONCE = 8
"""How many threads may wait for an engine that does not answer, only to tell it of a log-in."""

log = logging.getLogger(__name__)
blueprint = Blueprint("auth", __name__)
logins = LoginManager()
logins.session_protection = None
_verifications = threading.BoundedSemaphore(VERIFICATIONS_AT_ONCE)
_notes = threading.BoundedSemaphore(NOTES_AT_ONCE)


class Cookies(SecureCookieSessionInterface):
    """The cookie of a request that came over TLS goes nowhere else."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Say whether the cookie is for TLS alone."""
        return request.is_secure or super().get_cookie_secure(app)


class Administrator(UserMixin):  # type: ignore[misc]
    """The person behind a valid session."""

    def __init__(self, held: Session) -> None:
        self.id = held.user
        self.session = held


@logins.user_loader  # type: ignore[untyped-decorator]
def administrator(name: str) -> Administrator | None:
    """Return the person of the present cookie if the session is alive."""
    held = gui().folder.find(session.get(SESSION_KEY))
    if held is None or held.user != name or name != USER:
        return None
    line = passwords.fingerprint(password_text(), held.user)
    if held.is_over(gui().wall_clock(), line, gui().idle_s, gui().absolute_s):
        gui().folder.end(held)
        return None
    return Administrator(held)


def password_text() -> str:
    """Return the password file's text as it is now, read once for each request; "" if there is none."""
    if "password_text" not in g:
        try:
            with gui().paths.passwd.open(encoding="utf-8", errors="surrogateescape") as file:
                g.password_text = file.read(PASSWORD_FILE_BYTES_MAX)
        except FileNotFoundError:
            g.password_text = ""
        except OSError as problem:
            log.error("%s cannot be read (%s): nobody can log in", gui().paths.passwd, problem.strerror)
            g.password_text = ""
    return str(g.password_text)


def gate() -> ResponseReturnValue | None:
    """Answer every request that may not go on: by origin, then by session; `access.gate` let its address in."""
    endpoint = request.endpoint
    if request.method not in ("GET", "HEAD") and is_foreign():
        log.warning("refused %s %r: the form was sent by another site", request.method, request.path)
        abort(403, _("This form was sent by another site. Nothing was changed."))
    if endpoint in OPEN:
        return None
    if not current_user.is_authenticated:
        return _unauthenticated()
    note_activity()
    return None


def note_activity() -> None:
    """Keep that the person did something just now."""
    held = current_user.session
    now = gui().wall_clock()
    if not _is_by_itself() and now - held.seen >= SEEN_EVERY_S:
        gui().folder.note_activity(held, now)


def _is_by_itself() -> bool:
    """Say whether a page made this request, not a person: a refresh, an image, what a script fetches."""
    return AUTO_UPDATE in request.args or request.headers.get("Sec-Fetch-Dest", "document") != "document"


def bound_fields() -> None:
    """Refuse a form of more fields than any of ours: each would be shown, kept and escaped."""
    if request.method == "POST" and sum(len(texts) for texts in request.form.listvalues()) > FORM_FIELDS_MAX:
        abort(413)


def is_foreign() -> bool:
    """Say whether the browser tells that another site made this request."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return True
    # Our own pages ask for no referrer, and browsers then say "null" here.
    origin = request.headers.get("Origin", "null")
    return origin != "null" and _host_of(origin) != request.host.lower()


def is_ours() -> bool:
    """Say whether the browser vouches that our own page made this request."""
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return True
    origin = request.headers.get("Origin", "null")
    return origin != "null" and _host_of(origin) == request.host.lower()


def _host_of(origin: str) -> str | None:
    """Return host and port of an Origin header, None if it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def own_address(wanted: str | None) -> str | None:
    """Return a path (with its query) inside this GUI, or None if it is anything else."""
    if not wanted or len(wanted) > 4000 or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return None
    if "\\" in wanted or any(ord(char) < 32 or ord(char) == 127 for char in wanted):
        return None
    parts = urlsplit(wanted)
    return None if parts.scheme or parts.netloc else wanted


def own_url() -> str:
    """Return the present request's own path and query."""
    return request.full_path.removesuffix("?") if request.query_string else request.path


def typed_pairs() -> list[tuple[str, str]]:
    """Return what the form of this request holds, in its order, without the token and any password.

    A file that came with it is in fields, as `uploads` keeps it.
    """
    typed = [(name, text) for name, text in request.form.items(multi=True) if name not in ("csrf_token", "password")]
    return uploads.with_file(typed)


def _unauthenticated() -> ResponseReturnValue:
    had_session = SESSION_KEY in session
    if request.method in ("GET", "HEAD"):
        if had_session:
            # Told once, however many pages of that session were still open.
            session.pop(SESSION_KEY)
            flash(_("Your session has ended. Please log in again."), "warning")
        return redirect(url_for("auth.login", next=own_url()), 303)
    bound_fields()
    held, is_too_much = "", False
    if request.method == "POST" and request.endpoint is not None and (_has_right_token() or is_ours()):
        held = _packed(typed_pairs())
        is_too_much = not held
    message = _("You were logged out. Nothing was changed.")
    if held:
        message = _("You were logged out. Nothing was changed. Log in, and you get back what you typed.")
    elif is_too_much:
        message = _("You were logged out. Nothing was changed. What you sent is too much to be kept: send it again.")
    return _login_page(message=message, held=held, held_url=own_url() if held else ""), 401


def _has_right_token() -> bool:
    # A browser that was closed in between has no cookie any more, and so no token that fits.
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return False
    return True


def _packed(pairs: list[tuple[str, str]]) -> str:
    packed = json.dumps(pairs)
    return packed if len(quote_plus(packed)) <= HELD_BYTES_MAX else ""


def _unpacked(packed: str) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(packed) if len(packed) <= HELD_BYTES_MAX else []
    except (ValueError, RecursionError):
        return []
    if not isinstance(pairs, list):
        return []
    return [
        (pair[0], pair[1])
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
    ]


def _login_page(
    message: str = "", user: str = USER, held: str = "", held_url: str = "", next_url: str = ""
) -> Response:
    return make_response(
        render_template(
            "login.html",
            message=message,
            user=user,
            held=held,
            held_url=held_url,
            next_url=next_url,
            is_again=request.endpoint == "auth.login",
            has_password=bool(passwords.fingerprint(password_text(), USER)),
        )
    )


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Ask for user and password; then go where the person wanted to go."""
    next_url = own_address(request.values.get("next")) or ""
    if request.method != "POST":
        if current_user.is_authenticated:
            return redirect(next_url or url_for("monitor.control"), 303)
        return _login_page(next_url=next_url)
    held_url = own_address(request.form.get("held_url")) or ""
    held = request.form.get("held", "") if held_url else ""
    user = request.form.get("user", "")[:200]
    client = request.remote_addr
    # The wait is looked at again for each attempt: many that arrive together do not all pass on the first look.
    with _verifications:
        wait = math.ceil(gui().throttle.wait_s(client, gui().steady_clock()))
        is_right = False
        if wait <= 0:
            is_right = passwords.verify(password_text(), user, request.form.get("password", "")) and user == USER
            if not is_right:
                gui().throttle.failed(client, gui().steady_clock())
    if wait > 0:
        message = _("Too many failed attempts. Try again in %(seconds)s seconds.", seconds=wait)
        page = _login_page(message, user, held, held_url, next_url)
        page.status_code = 429
        page.headers["Retry-After"] = str(wait)
        return page
    if not is_right:
        log.warning("a log-in from %s failed", client)
        page = _login_page(_("User name or password is wrong."), user, held, held_url, next_url)
        page.status_code = 401
        return _audited(
            page, "login", "wrong password" if user == USER else "no such user", USER if user == USER else ""
        )
    gui().throttle.succeeded(client)
    log.info("%s logged in from %s", user, client)
    # A new session, not the old one continued: nothing that was planted before the log-in lives on.
    before = gui().folder.find(session.get(SESSION_KEY))
    if before is not None:
        gui().folder.end(before)
    session.clear()
    opened = begun(user, passwords.fingerprint(password_text(), user), gui().wall_clock())
    gui().folder.begin(opened, gui().idle_s)
    session[SESSION_KEY] = opened.id
    login_user(Administrator(opened))
    pairs = _unpacked(held)
    if held_url and pairs:
        answer = make_response(render_template("continue.html", pairs=pairs, url=held_url, reason="login"))
    else:
        answer = make_response(redirect(next_url or url_for("monitor.control"), 303))
    return _audited(answer, "login")


def _audited(answer: Response, what: str, refused: str = "", user: str = USER) -> Response:
    """Have the engine write into its audit what happened, once the answer is sent: nobody waits for a dead engine.

    What was typed as an unknown user's name is not told: it may be a password.
    """
    client = gui().engine_for(user, request.remote_addr or "")

    def tell() -> None:
        if not _notes.acquire(blocking=False):
            log.warning("the audit misses a %s: too many wait for the engine", what)
            return
        try:
            client.audit_login(what, refused)
        except PiranhaError as problem:
            log.warning("the audit misses a %s: %s", what, problem)
        finally:
            _notes.release()

    answer.call_on_close(tell)
    return answer


@blueprint.route("/logout", methods=["POST"])
def logout() -> ResponseReturnValue:
    """End the session here and on the server."""
    held = current_user.session
    gui().folder.end(held)
    logout_user()
    session.clear()
    log.info("%s logged out from %s", held.user, request.remote_addr)
    flash(_("You are logged out."), "success")
    return _audited(make_response(redirect(url_for("auth.login"), 303)), "logout")


def csrf_failed() -> ResponseReturnValue:
    """Answer a form whose token does not fit: nothing is changed, nothing typed is lost.

    The form may come from an earlier session of the same person. Where the browser vouches for that, one click sends
    it again; elsewhere the texts are shown for copying.
    """
    log.warning("a form for %r came with a wrong token", request.path)
    pairs = [pair for pair in typed_pairs() if pair[0] not in ("held", "held_url")]
    url = own_url() if current_user.is_authenticated and is_ours() and request.endpoint not in OPEN else ""
    page = render_template("continue.html", pairs=pairs, url=url, reason="token")
    return page, 400
