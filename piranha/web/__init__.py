"""The GUI on port 3636: pages made on the server, no JavaScript needed anywhere.

It reads the configuration through the engine's API and changes it by edits sent there; it has no write access to any
configuration itself. `create_app` is the door.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from flask_login import current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from piranha.client import EngineClient
from piranha.errors import ConfigUnavailable, EngineUnavailable, NotPermitted, PiranhaError
from piranha.paths import Paths
from piranha.resources import tree
from piranha.web import (
    access,
    adopting,
    audit,
    auth,
    confirm,
    connections,
    events,
    failover,
    faults,
    furniture,
    global_settings,
    history,
    history_restoring,
    last_check,
    monitor,
    monitoring_scripts,
    old_addresses,
    pages,
    plan,
    real_servers,
    redundancy,
    running,
    syncing,
    traffic,
    virtual_servers,
)
from piranha.web.blocks import NoSuchBlock
from piranha.web.client import NoConfig
from piranha.web.door import Door
from piranha.web.security_headers import security_headers
from piranha.web.sessions import SessionFolder
from piranha.web.state import EXTENSION, Gui
from piranha.web.texts import _

BODY_BYTES_MAX = 1024 * 1024

log = logging.getLogger(__name__)


def create_app(paths: Paths, **settings: Any) -> Flask:
    """Return the GUI as a WSGI application.

    Settings in capitals go to Flask's configuration. `engine_for`, `wall_clock` and `steady_clock` replace what
    `state.Gui` says. Raises PiranhaError if the GUI's own folder cannot be used, FileNotFoundError if the
    installation lost its templates.
    """
    app = Flask("piranha", template_folder=str(tree("templates")), static_folder=str(tree("static")))
    folder = SessionFolder(paths.gui_state)
    own = {name: settings.pop(name) for name in list(settings) if not name.isupper()}
    own.setdefault("engine_for", lambda user, from_: EngineClient(paths.socket, user, from_))
    app.config.update(
        DEBUG=False,  # whatever the environment says
        SECRET_KEY=folder.signing_key,
        SESSION_COOKIE_NAME=folder.cookie_name,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=BODY_BYTES_MAX,
        MAX_FORM_MEMORY_SIZE=BODY_BYTES_MAX,
        MAX_FORM_PARTS=auth.FORM_FIELDS_MAX,
        PROVIDE_AUTOMATIC_OPTIONS=False,
        WTF_CSRF_TIME_LIMIT=None,
        # No page of ours tells a referrer, so none can be asked for; the Origin is looked at instead.
        WTF_CSRF_SSL_STRICT=False,
        BOOTSTRAP_SERVE_LOCAL=True,
        BABEL_DEFAULT_LOCALE="en",
    )
    app.config.update(settings)
    app.extensions[EXTENSION] = held = Gui(paths=paths, folder=folder, **own)
    app.wsgi_app = Door(app.wsgi_app, held)  # type: ignore[method-assign]
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True

    app.session_interface = auth.Cookies()
    auth.logins.init_app(app)
    # The gates come before the check of tokens: whoever has no session learns nothing about his token.
    app.before_request(access.gate)
    app.before_request(auth.gate)
    app.before_request(adopting.widen)
    app.before_request(auth.bound_fields)
    CSRFProtect(app)
    Bootstrap5(app)
    Babel(app)
    for blueprint in (
        auth.blueprint,
        pages.blueprint,
        monitor.blueprint,
        running.blueprint,
        traffic.blueprint,
        last_check.blueprint,
        connections.blueprint,
        global_settings.blueprint,
        redundancy.blueprint,
        failover.blueprint,
        syncing.blueprint,
        virtual_servers.blueprint,
        real_servers.blueprint,
        monitoring_scripts.blueprint,
        plan.blueprint,
        confirm.blueprint,
        history.blueprint,
        history_restoring.blueprint,
        events.blueprint,
        audit.blueprint,
        adopting.blueprint,
        old_addresses.blueprint,
    ):
        app.register_blueprint(blueprint)
    furniture.furnish(app)
    app.after_request(_headers)
    app.register_error_handler(CSRFError, _wrong_token)
    app.register_error_handler(Exception, _failed)
    return app


def _headers(response: Response) -> Response:
    is_static = request.endpoint in ("static", "bootstrap.static")
    own_policy = response.headers.get("Content-Security-Policy")
    for name, text in security_headers(is_secure=request.is_secure, may_be_stored=is_static).items():
        response.headers[name] = text
    if own_policy is not None:  # a picture allows itself its colours, and nothing else
        response.headers["Content-Security-Policy"] = own_policy
    return response


def _wrong_token(_problem: CSRFError) -> ResponseReturnValue:
    return auth.csrf_failed()


def _failed(problem: Exception) -> ResponseReturnValue:
    """Show one clear page for whatever went wrong, and log what a person cannot mend."""
    if isinstance(problem, RequestRedirect):
        # Slashes too many or too few. The client's Host header is not repeated in the answer.
        return redirect(urlsplit(problem.new_url)._replace(scheme="", netloc="").geturl(), 308)
    if isinstance(problem, HTTPException):
        if problem.response is not None or problem.code is None or problem.code < 400:
            return problem
        title, sentence = faults.words_of(problem)
        if problem.code == 413 and not current_user.is_authenticated:
            sentence = _("You are not logged in, and this is too much to be kept meanwhile. Log in, and send it again.")
        return _page(problem.code, title, sentence, dict(problem.get_headers()))
    match problem:
        case NoConfig():
            # The page says it itself.
            g.is_no_config = True
            page = render_template(
                "no_config.html",
                file=problem.file,
                exists=problem.exists,
                sentence=str(problem),
                engine_problem=problem.engine_problem,
                typed=auth.typed_pairs(),
            )
            return page, 503
        case NoSuchBlock():
            return _page(404 if request.method in ("GET", "HEAD") else 409, _("Not there"), str(problem))
        case EngineUnavailable() | ConfigUnavailable():
            return _page(503, _("That cannot be done now"), str(problem))
        case NotPermitted():
            return _page(403, _("Not permitted"), str(problem))
        case PiranhaError():
            return _page(409, _("That was refused"), str(problem))
        case _:
            log.exception("%s %r failed", request.method, request.path)
            sentence = _("The GUI failed at this. The log of piranha-gui says why. HISTORY tells what was saved.")
            return _page(500, _("Something went wrong"), sentence)


def _page(code: int, title: str, sentence: str, headers: dict[str, str] | None = None) -> ResponseReturnValue:
    g.is_bare = code == 500
    typed = auth.typed_pairs() if code in (409, 503) else []
    page = render_template("error.html", title=title, sentence=sentence, code=code, typed=typed)
    kept = {name: text for name, text in (headers or {}).items() if name in ("Allow", "Retry-After")}
    return page, code, kept
