"""The engine's API: JSON over HTTP on a Unix socket. Everything that the GUI and the commands can do is a call here.

Who may call: root, the user that the engine runs as, and the system user `piranha`, as the kernel vouches for them
(SO_PEERCRED). On whose behalf the GUI calls (X-User, X-From) is believed, because only those can reach the socket.
"""

import asyncio
import logging
import os
import pwd
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web

from piranha.engine import connections, openapi
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.connections import QueryRefused
from piranha.engine.guard import Turn
from piranha.engine.history import NotKept
from piranha.engine.kernel_facts import kernel_status
from piranha.engine.kernel_tuning import KernelTuning
from piranha.engine.service import Engine
from piranha.errors import (
    ConfigConflict,
    ConfigUnavailable,
    EditRefused,
    NotPermitted,
    PiranhaError,
    UnsafePlan,
)
from piranha.messages import (
    AdoptRequest,
    ApplyRequest,
    ClearRequest,
    ConnectionsQuery,
    OverrideRequest,
    Refusal,
    RollbackRequest,
    SaveRequest,
)
from piranha.status import AddressStatus
from piranha.system import unix_socket

log = logging.getLogger("lvs")

BODY_MAX = 16 * 1024 * 1024
_JSON = "application/json"
_Body = TypeVar("_Body")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _BadRequest(PiranhaError):
    """The body is not what the call takes."""


def application(
    engine: Engine,
    *,
    tuning: KernelTuning | None = None,
    addresses: Callable[[], Iterable[AddressStatus]] = tuple,
) -> web.Application:
    """Return the API in front of an engine.

    `tuning`: who sets the kernel's settings, if somebody does. `addresses` tells how the floating ones stand.
    """
    app = web.Application(middlewares=[_refusals, _permissions], client_max_size=BODY_MAX)
    calls = _Calls(engine, tuning, addresses)
    for call in openapi.CALLS:
        app.router.add_route(call.method, call.path, getattr(calls, call.name))
    return app


@dataclass(frozen=True, slots=True)
class _Calls:
    """One method a call; the names are the `operationId`s of the description."""

    engine: Engine
    tuning: KernelTuning | None
    addresses: Callable[[], Iterable[AddressStatus]]

    async def describe_api(self, request: web.Request) -> web.Response:
        return _answer(openapi.description())

    async def read_config(self, request: web.Request) -> web.Response:
        return _answer(await self.engine.saved())

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

    async def status(self, request: web.Request) -> web.Response:
        told, balancer = await self.engine.status(), _balancer(self.engine)
        is_managed = self.tuning is not None and self.tuning.is_managed
        kernel = await kernel_status(balancer.path, balancer.cluster, is_managed=is_managed)
        return _answer(replace(told, kernel=kernel, addresses=tuple(self.addresses())))

    async def connections(self, request: web.Request) -> web.Response:
        return _answer(await connections.asked(_balancer(self.engine).path, _query(request)))

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


def _balancer(engine: Engine) -> Balancer:
    return engine._balancer


def _query(request: web.Request) -> ConnectionsQuery:
    """Return the question in the address. A field that is not known would choose nothing, so it is refused."""
    known = ConnectionsQuery.__dataclass_fields__
    given = dict(request.query)
    if len(given) != len(request.query):
        raise _BadRequest("Each field of a query may stand there once.")
    if unknown := sorted(given.keys() - known.keys()):
        raise _BadRequest(f"There is no field {unknown[0]!r:.80} here; there are {', '.join(known)}.")
    return ConnectionsQuery(**given)


def _number(request: web.Request) -> int:
    written = request.match_info["number"]
    if not re.fullmatch("[0-9]{1,18}", written):
        raise _BadRequest(f"{request.path} does not end in a number.")
    return int(written)


def _caller(request: web.Request) -> Caller:
    return Caller(_plain(request.headers.get("X-User", "")), _plain(request.headers.get("X-From", "")))


def _plain(text: str) -> str:
    """Return a header's text (percent-encoded) as it may stand in a log line."""
    return "".join(letter for letter in unquote(text) if letter.isprintable())[:80]


@web.middleware
async def _permissions(request: web.Request, handler: _Handler) -> web.StreamResponse:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    who = unix_socket.caller(connection) if connection is not None else None
    if who is None or who.uid not in _allowed_uids():
        raise NotPermitted("Only root, the engine's own user and the user piranha may talk to the engine.")
    return await handler(request)


def _allowed_uids() -> frozenset[int]:
    allowed = {0, os.getuid()}
    try:
        allowed.add(pwd.getpwnam("piranha").pw_uid)
    except KeyError:
        pass
    return frozenset(allowed)


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
