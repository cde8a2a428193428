"""The engine's API: JSON over HTTP on a Unix socket. Everything that the GUI and the commands can do is a call here.

Who may call: root, the user that the engine runs as, and the system user `piranha`, as the kernel vouches for them
(SO_PEERCRED); of log-ins tells the GUI's user alone. On whose behalf the GUI calls (X-User, X-From) is believed,
because only those can reach the socket.
"""

import asyncio
import logging
import os
import pwd
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields, replace
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web

from piranha.check_messages import LastCheckQuery, TryRequest
from piranha.engine import connections, openapi
from piranha.engine.audit import Audit, Told
from piranha.engine.caller import Caller
from piranha.engine.connections import QueryRefused
from piranha.engine.history import NotKept
from piranha.engine.kernel_facts import kernel_status
from piranha.engine.kernel_tuning import KernelTuning
from piranha.engine.parts import asked_of
from piranha.engine.redundancy import Redundancy
from piranha.engine.service import Engine
from piranha.errors import (
    Busy,
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EditRefused,
    NothingPending,
    NotPermitted,
    PiranhaError,
    UnsafePlan,
)
from piranha.guard import Turn
from piranha.messages import (
    AdoptRequest,
    ApplyRequest,
    ClearRequest,
    ConfigQuery,
    ConfirmRequest,
    ConnectionsQuery,
    OverrideRequest,
    Refusal,
    RollbackRequest,
    SaveRequest,
)
from piranha.monitoring import FailoverRequest, SamplesQuery, StatusQuery
from piranha.records import AuditQuery, EventsQuery, LoginNote, LoginNoted
from piranha.status import AddressStatus
from piranha.sync_messages import CopyQuery, ReceiveRequest, SyncRequest
from piranha.system import unix_socket

log = logging.getLogger("lvs")

BODY_MAX = 16 * 1024 * 1024
_JSON = "application/json"
_VERB_MAX = 80
_AUDIT = web.AppKey("audit", Audit)
_Body = TypeVar("_Body")
_Query = TypeVar(
    "_Query",
    ConfigQuery,
    ConnectionsQuery,
    EventsQuery,
    AuditQuery,
    StatusQuery,
    SamplesQuery,
    CopyQuery,
    LastCheckQuery,
)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _BadRequest(PiranhaError):
    """The body is not what the call takes."""


def application(
    engine: Engine,
    *,
    tuning: KernelTuning | None = None,
    addresses: Callable[[], Iterable[AddressStatus]] = tuple,
    redundancy: Redundancy | None = None,
) -> web.Application:
    """Return the API in front of an engine.

    `tuning`: who sets the kernel's settings, if somebody does. `addresses` tells how the floating ones stand,
    `redundancy` how the pair does.
    """
    app = web.Application(middlewares=[_refusals, _permissions], client_max_size=BODY_MAX)
    app[_AUDIT] = engine.audit
    calls = _Calls(engine, tuning, addresses, redundancy or Redundancy(engine.audit, engine.events))
    for call in openapi.CALLS:
        app.router.add_route(call.method, call.path, getattr(calls, call.name), name=call.name)
    return app


@dataclass(frozen=True, slots=True)
class _Calls:
    """One method a call; the names are the `operationId`s of the description."""

    engine: Engine
    tuning: KernelTuning | None
    addresses: Callable[[], Iterable[AddressStatus]]
    redundancy: Redundancy

    async def describe_api(self, request: web.Request) -> web.Response:
        return _answer(openapi.description())

    async def read_config(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.saved(_query(request, ConfigQuery).known))

    async def read_running(self, request: web.Request) -> web.Response:
        return _answer(self.engine.running())

    async def save_config(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.save(await _body(request, SaveRequest), _caller(request)))

    async def create_config(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.create(_caller(request)))

    async def adopt_config(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.adopt(await _body(request, AdoptRequest), _caller(request)))

    async def read_history(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.history())

    async def read_version(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.version(_number(request)))

    async def rollback(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.rollback(await _body(request, RollbackRequest), _caller(request)))

    async def plan(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.plan())

    async def apply(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.apply(await _body(request, ApplyRequest), _caller(request)))

    async def confirm(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.confirm(await _body(request, ConfirmRequest), _caller(request)))

    async def revert(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.revert(await _body(request, ConfirmRequest), _caller(request)))

    async def read_copy(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.receiving.state(_query(request, CopyQuery).known))

    async def receive_copy(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.receiving.receive(await _body(request, ReceiveRequest), _caller(request)))

    async def sync(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.syncing.sync(await _body(request, SyncRequest), _caller(request)))

    async def events(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.events.asked(_query(request, EventsQuery)))

    async def audit(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.audit.asked(_query(request, AuditQuery)))

    async def audit_login(self, request: web.Request) -> web.Response:
        note, caller = await _body(request, LoginNote), _caller(request)
        if caller.uid not in _gui_uids(self.engine):
            raise NotPermitted("Only the GUI tells of log-ins.")
        if note.what not in ("login", "logout"):
            raise _BadRequest(f'{note.what!r:.40} is neither "login" nor "logout".')
        result = "refused" if note.refused else "done"
        return _answer(LoginNoted(await self.engine.audit.note(note.what, caller, result, note.refused)))

    async def stop(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.stop(_caller(request)))

    async def start(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.start_again(_caller(request)))

    async def failover(self, request: web.Request) -> web.Response:
        return _answer(await self.redundancy.command(await _body(request, FailoverRequest), _caller(request)))

    async def summary(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.summary())

    async def samples(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.sampling.asked(_query(request, SamplesQuery)))

    async def status(self, request: web.Request) -> web.Response:
        asked = asked_of(_query(request, StatusQuery))
        told = await self.engine.status(asked, tuple(self.addresses()))
        is_managed = self.tuning is not None and self.tuning.is_managed
        kernel = await kernel_status(self.engine.path, self.engine.cluster, is_managed=is_managed)
        return _answer(
            replace(
                told,
                kernel=kernel,
                redundancy=self.redundancy.status(),
                processes=self.redundancy.processes(told.processes),
            )
        )

    async def connections(self, request: web.Request) -> web.Response:
        return _answer(await connections.asked(self.engine.path, _query(request, ConnectionsQuery)))

    async def try_checks(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.trying.try_checks(await _body(request, TryRequest), _caller(request)))

    async def last_check(self, request: web.Request) -> web.Response:
        return _answer(self.engine.last_check(_query(request, LastCheckQuery).server))

    async def override(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.override(await _body(request, OverrideRequest), _caller(request)))

    async def clear_overrides(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.clear_overrides(await _body(request, ClearRequest), _caller(request)))


def _answer(content: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), status=status, content_type=_JSON)


async def _body(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _BadRequest(f"The body of {request.method} {request.path} is not understood: {error}.") from error


def _query(request: web.Request, kind: type[_Query]) -> _Query:
    """Return the question in the address. A field that is not known would choose nothing, so it is refused."""
    known = [each.name for each in fields(kind)]
    given = dict(request.query)
    if len(given) != len(request.query):
        raise _BadRequest("Each field of a query may stand there once.")
    if unknown := sorted(given.keys() - set(known)):
        raise _BadRequest(f"There is no field {unknown[0]!r:.80} here; there are {', '.join(known)}.")
    return kind(**given)


def _number(request: web.Request) -> int:
    written = request.match_info["number"]
    if not re.fullmatch("[0-9]{1,18}", written):
        raise _BadRequest(f"{request.path} does not end in a number.")
    return int(written)


def _caller(request: web.Request) -> Caller:
    user, address = (_plain(request.headers.get(name, "")) for name in ("X-User", "X-From"))
    return Caller(user, address, _uid(request))


def _uid(request: web.Request) -> int | None:
    """Return who is at the other end, as the kernel vouches for it."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    who = unix_socket.caller(connection) if connection is not None else None
    return None if who is None else who.uid


def _plain(text: str) -> str:
    """Return a header's text (percent-encoded) as it may stand in a log line."""
    return "".join(letter for letter in unquote(text) if letter.isprintable())[:80]


@web.middleware
async def _permissions(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Let in who may call; what was not permitted, here or by the call itself, is in the audit."""
    try:
        if _uid(request) not in _allowed_uids():
            raise NotPermitted("Only root, the engine's own user and the user piranha may talk to the engine.")
        return await handler(request)
    except NotPermitted as error:
        verb = request.match_info.route.name or f"{request.method} {request.path}"[:_VERB_MAX]
        told = Told(reason=str(error))
        await request.app[_AUDIT].note_surely(verb, _caller(request), "refused", told)
        raise


def _allowed_uids() -> frozenset[int]:
    return frozenset({0, os.getuid(), *_piranha_uid()})


def _gui_uids(engine: Engine) -> frozenset[int]:
    """Return who may be the GUI: the user piranha; below another root than the real one whoever runs the engine too."""
    return frozenset({*_piranha_uid(), *(() if engine.is_system else (os.getuid(),))})


def _piranha_uid() -> tuple[int, ...]:
    try:
        return (pwd.getpwnam("piranha").pw_uid,)
    except KeyError:
        return ()


@web.middleware
async def _refusals(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turn our errors into Refusal bodies. Anything else is a fault of ours: logged with its trace, told as such."""
    what = f"{request.method} {request.path}"
    with Turn(what):
        return await _answered(request, handler)
    sentence = f"{what} failed by a fault of the engine; its log says more."
    return _answer(Refusal("internal", sentence), HTTPStatus.INTERNAL_SERVER_ERROR)


async def _answered(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConfigConflict as error:
        refusal = Refusal("conflict", str(error), error.part, "", error.current_text)
        return _answer(refusal, HTTPStatus.CONFLICT)
    except NotKept as error:
        return _answer(Refusal("not_found", str(error)), HTTPStatus.NOT_FOUND)
    except QueryRefused as error:
        return _answer(Refusal("bad_request", str(error), "", error.keyword), HTTPStatus.BAD_REQUEST)
    except EditRefused as error:
        refusal = Refusal("edit_refused", str(error), error.path, error.keyword)
        return _answer(refusal, HTTPStatus.UNPROCESSABLE_ENTITY)
    except Busy as error:
        return _answer(Refusal("busy", str(error)), HTTPStatus.TOO_MANY_REQUESTS)
    except ConfirmationPending as error:
        return _answer(Refusal("confirmation_pending", str(error)), HTTPStatus.CONFLICT)
    except NothingPending as error:
        return _answer(Refusal("nothing_pending", str(error)), HTTPStatus.CONFLICT)
    except UnsafePlan as error:
        return _answer(Refusal("unsafe", str(error)), HTTPStatus.UNPROCESSABLE_ENTITY)
    except ConfigUnavailable as error:
        return _answer(Refusal("unavailable", str(error)), HTTPStatus.SERVICE_UNAVAILABLE)
    except NotPermitted as error:
        return _answer(Refusal("not_permitted", str(error)), HTTPStatus.FORBIDDEN)
    except _BadRequest as error:
        return _answer(Refusal("bad_request", str(error)), HTTPStatus.BAD_REQUEST)
    except web.HTTPException as error:
        code = "not_found" if error.status == HTTPStatus.NOT_FOUND else "bad_request"
        return _answer(Refusal(code, f"{request.method} {request.path}: {error.reason}."), HTTPStatus(error.status))


async def serve(app: web.Application, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve the API on a listening Unix socket until `stop` is set; calls under way get 2 s to finish."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        await stop.wait()
    finally:
        await runner.cleanup()
