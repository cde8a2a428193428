"""The engine's API as calls: HTTP/1.1 with JSON over its Unix socket, for the GUI and the commands.

One short connection for each call, so that nothing is shared between threads and a restarted engine is found
again by itself. Every refusal of the engine comes out as the exception of `piranha.errors` that it means.
"""

import contextlib
import http.client
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from piranha.check_messages import LastCheck, LastCheckQuery, TryAnswer, TryRequest
from piranha.client_refusals import raised_for
from piranha.config.edits import Edit, ExpectedPart
from piranha.errors import EngineUnavailable
from piranha.messages import (
    AdoptRequest,
    ApplyAnswer,
    ApplyRequest,
    ClearRequest,
    ConfigQuery,
    ConfirmAnswer,
    ConfirmRequest,
    ConnectionsAnswer,
    ConnectionsQuery,
    History,
    OverrideAnswer,
    OverrideRequest,
    Plan,
    Refusal,
    RevertAnswer,
    RollbackRequest,
    SaveAnswer,
    SavedConfig,
    SaveRequest,
    VersionText,
)
from piranha.monitoring import (
    FailoverAnswer,
    FailoverCommand,
    FailoverRequest,
    RunAnswer,
    SamplesAnswer,
    SamplesQuery,
    StatusQuery,
    Summary,
)
from piranha.records import (
    RECORDS_MAX,
    AuditAnswer,
    AuditEntry,
    AuditQuery,
    EngineEvent,
    EventsAnswer,
    EventsQuery,
    LoginNote,
    LoginNoted,
)
from piranha.status import EngineStatus
from piranha.sync_messages import CopyQuery, CopyState, ReceiveAnswer, ReceiveRequest, SyncAnswer, SyncRequest

ADDRESS_BYTES_MAX = 107
"""A Unix socket's address ends there (sun_path is 108 bytes with its NUL)."""

SYNC_WITHIN_S = 240.0
"""Longer than the engine waits for the partner, twice."""
TRY_WITHIN_S = 60.0
"""Longer than a try takes, with the names that it asks for."""
ANSWER_BYTES_MAX = 256 * 1024 * 1024
OPEN_FILES = Path("/proc/self/fd")
Answer = TypeVar("Answer")


class EngineClient:
    """The calls of the API.

    `user` and `from_` say on whose behalf the call is made and from which address (for the audit; the engine
    believes them from root and the GUI's user only). Times are seconds. Every call raises EngineUnavailable when
    nobody answers, or not in time, or nonsense; and NotPermitted.
    """

    def __init__(
        self,
        socket: Path,
        user: str = "",
        from_: str = "",
        *,
        answer_within_s: float = 15.0,
        apply_within_s: float = 90.0,
    ) -> None:
        self.socket = socket
        self.user = user
        self.from_ = from_
        self._answer_within_s = answer_within_s
        self._apply_within_s = apply_within_s

    def config(self, known: str = "") -> SavedConfig:
        """Return the text of lvs.cf and its token; without the text if the token is the one that is `known`."""
        return self._call("GET", _asking("/v1/config", ConfigQuery(known)), SavedConfig)

    def create(self) -> SaveAnswer:
        """Make an empty lvs.cf. Raises ConfigConflict if there is one already, and ConfigUnavailable."""
        return self._call("POST", "/v1/config/create", SaveAnswer)

    def running(self) -> SavedConfig:
        """Return the text that was applied last."""
        return self._call("GET", "/v1/running", SavedConfig)

    def save(self, edits: Sequence[Edit], expected: Sequence[ExpectedPart], *, dry_run: bool = False) -> SaveAnswer:
        """Save these edits if these parts are as they were; `dry_run`: say only what that would do.

        Raises ConfigConflict, EditRefused, ConfigUnavailable; then nothing was written.
        """
        return self._call("POST", "/v1/config", SaveAnswer, SaveRequest(list(edits), list(expected), dry_run))

    def history(self) -> History:
        """Return the versions of lvs.cf that are kept."""
        return self._call("GET", "/v1/history", History)

    def version(self, number: int) -> VersionText:
        """Return one version with its text. Raises EditRefused if it is not kept (any more)."""
        return self._call("GET", f"/v1/history/{number}", VersionText)

    def rollback(self, number: int, token: str = "", *, dry_run: bool = False) -> SaveAnswer:
        """Save a kept version again as a new one.

        Raises EditRefused if it is not kept, ConfigConflict if `token` is not what is saved, ConfigUnavailable.
        """
        return self._call("POST", "/v1/rollback", SaveAnswer, RollbackRequest(number, token, dry_run))

    def adopt(self, content: bytes, token: str, name: str = "", *, dry_run: bool = False) -> SaveAnswer:
        """Make another file's bytes lvs.cf, if lvs.cf is still `token` ("": there is none).

        Raises ConfigConflict if it is not, EditRefused for a text that cannot become lvs.cf, ConfigUnavailable.
        """
        return self._call("POST", "/v1/config/adopt", SaveAnswer, AdoptRequest(content, token, name, dry_run))

    def plan(self) -> Plan:
        """Return what Apply would do. Raises ConfigUnavailable."""
        return self._call("GET", "/v1/plan", Plan)

    def apply(
        self, token: str = "", force: bool = False, removes_at_once: bool = False, confirm_s: int = 0
    ) -> ApplyAnswer:
        """Run what is saved; with `confirm_s` until that many seconds later, unless it is confirmed.

        Raises ConfigConflict if `token` is no longer what is saved, UnsafePlan (ConfirmationPending: an Apply waits for
        its confirmation), EditRefused for a `confirm_s` that is none, ConfigUnavailable.
        """
        request = ApplyRequest(token, force, removes_at_once, confirm_s)
        return self._call("POST", "/v1/apply", ApplyAnswer, request, within_s=self._apply_within_s)

    def confirm(self, token: str = "") -> ConfirmAnswer:
        """Let what was applied run on. Raises NothingPending, ConfigUnavailable: then it is not confirmed."""
        return self._call("POST", "/v1/confirm", ConfirmAnswer, ConfirmRequest(token))

    def revert(self, token: str = "") -> RevertAnswer:
        """Run now what ran before the Apply that waits. Raises NothingPending."""
        return self._call("POST", "/v1/revert", RevertAnswer, ConfirmRequest(token), within_s=self._apply_within_s)

    def status(self, query: StatusQuery | None = None) -> EngineStatus:
        """Return everything the engine tells, or a part of it.

        Raises EditRefused, whose `keyword` is the field, for a bad query.
        """
        return self._call("GET", _asking("/v1/status", query or StatusQuery()), EngineStatus)

    def summary(self) -> Summary:
        """Return how it stands, in short: as quick for thousands of servers as for a few."""
        return self._call("GET", "/v1/summary", Summary)

    def samples(self, virtual: str) -> SamplesAnswer:
        """Return the traffic of a virtual server (its written path) in the last hour."""
        return self._call("GET", _asking("/v1/samples", SamplesQuery(virtual)), SamplesAnswer)

    def stop(self) -> RunAnswer:
        """Have the engine run nothing until it is started. Raises ConfigUnavailable: then it goes on running."""
        return self._call("POST", "/v1/stop", RunAnswer, within_s=self._apply_within_s)

    def start(self) -> RunAnswer:
        """Run lvs.cf as it is saved, or what was applied last if that cannot be run.

        Raises ConfirmationPending, and ConfigUnavailable: then it stays stopped.
        """
        return self._call("POST", "/v1/start", RunAnswer, within_s=self._apply_within_s)

    def failover(self, command: FailoverCommand) -> FailoverAnswer:
        """Have this router do what an operator wants of the pair. Raises EditRefused where there is no failover."""
        return self._call("POST", "/v1/failover", FailoverAnswer, FailoverRequest(command))

    def connections(self, query: ConnectionsQuery) -> ConnectionsAnswer:
        """Return which client is on which server. Raises EditRefused, whose `keyword` is the field, for a bad query."""
        return self._call("GET", _asking("/v1/connections", query), ConnectionsAnswer)

    def events(self, query: EventsQuery) -> EventsAnswer:
        """Return what happened. Raises EditRefused, whose `keyword` is the field, for a bad query."""
        return self._call("GET", _asking("/v1/events", query), EventsAnswer)

    def all_events(self, query: EventsQuery) -> Iterator[EngineEvent]:
        """Yield every event that a query chooses, page after page; its `limit` is not looked at. Raises as `events`."""
        page = replace(query, limit=str(RECORDS_MAX))
        while True:
            answer = self.events(page)
            yield from answer.events
            if answer.next is None:
                return
            page = replace(page, after=str(answer.next)) if page.after else replace(page, before=str(answer.next))

    def audit(self, query: AuditQuery) -> AuditAnswer:
        """Return who did what. Raises EditRefused, whose `keyword` is the field, for a bad query."""
        return self._call("GET", _asking("/v1/audit", query), AuditAnswer)

    def all_audit(self, query: AuditQuery) -> Iterator[AuditEntry]:
        """Yield every entry that a query chooses, page after page; its `limit` is not looked at. Raises as `audit`."""
        page = replace(query, limit=str(RECORDS_MAX))
        while True:
            answer = self.audit(page)
            yield from answer.entries
            if answer.next is None:
                return
            page = replace(page, after=str(answer.next)) if page.after else replace(page, before=str(answer.next))

    def audit_login(self, what: str, refused: str = "") -> LoginNoted:
        """Put into the audit that this client's user logged in or out of the GUI, or (`refused`) why they could not.

        `what` is "login" or "logout". Raises NotPermitted for everybody but the GUI's user, ConfigUnavailable.
        """
        return self._call("POST", "/v1/audit/login", LoginNoted, LoginNote(what, refused))

    def try_checks(self, request: TryRequest) -> TryAnswer:
        """Make a check once with values that are not saved. Raises Busy, EditRefused, ConfigUnavailable."""
        return self._call("POST", "/v1/try", TryAnswer, request, within_s=TRY_WITHIN_S)

    def last_check(self, server: str) -> LastCheck:
        """Return how the last check of a real server (its written path in what runs) went."""
        return self._call("GET", _asking("/v1/checks", LastCheckQuery(server)), LastCheck)

    def override(self, server: str, kind: str, weight: int = 0, *, until: str = "", for_s: int = 0) -> OverrideAnswer:
        """Drain a server or set its weight by hand, until then or for so many seconds, else until it is cleared.

        Raises EditRefused if it is not in what runs, or for an end (`until`, `for_s`: its `keyword`) that is none.
        """
        request = OverrideRequest(server, kind, weight, until, for_s)
        return self._call("POST", "/v1/overrides", OverrideAnswer, request)

    def clear(self, server: str, kind: str = "") -> OverrideAnswer:
        """Clear what was set by hand for a server. Raises EditRefused if there is nothing of the kind."""
        return self._call("POST", "/v1/overrides/clear", OverrideAnswer, ClearRequest(server, kind))

    def copy(self, known: str = "") -> CopyState:
        """Return this router's copy of what both routers have the same; `known`: a token to look for in the history."""
        return self._call("GET", _asking("/v1/copy", CopyQuery(known)), CopyState)

    def receive(self, request: ReceiveRequest) -> ReceiveAnswer:
        """Have the partner's copy here. Raises ConfigConflict, ConfirmationPending, EditRefused, ConfigUnavailable."""
        return self._call("POST", "/v1/copy", ReceiveAnswer, request)

    def sync(self, request: SyncRequest) -> SyncAnswer:
        """Compare this router's copy with the partner's, or send it there; what fails is told in the answer.

        Raises ConfigUnavailable where the audit cannot be written. It may take minutes.
        """
        return self._call("POST", "/v1/sync", SyncAnswer, request, within_s=SYNC_WITHIN_S)

    def _call(
        self,
        method: str,
        path: str,
        kind: type[Answer],
        message: object | None = None,
        *,
        within_s: float | None = None,
    ) -> Answer:
        status, body = self._exchange(method, path, message, within_s or self._answer_within_s)
        try:
            if status >= 400:
                raise raised_for(msgspec.json.decode(body, type=Refusal))
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeError) as problem:
            raise EngineUnavailable(
                f"The engine's answer to {method} {path} cannot be understood (HTTP {status}, {problem}). "
                "Are the engine and this program of one version?"
            ) from problem

    def _exchange(self, method: str, path: str, message: object | None, within_s: float) -> tuple[int, bytes]:
        headers = {"Host": "localhost", "Accept": "application/json"}
        # Header values are Latin-1 on the wire; percent signs carry the rest and keep line breaks out.
        if self.user:
            headers["X-User"] = quote(self.user, safe=" @._-")
        if self.from_:
            headers["X-From"] = quote(self.from_, safe=" :._-")
        body = None
        if method == "POST":
            body = b"{}" if message is None else msgspec.json.encode(message)
            headers["Content-Type"] = "application/json"
        connection = _UnixConnection(self.socket, within_s)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(ANSWER_BYTES_MAX)
        except TimeoutError as problem:
            raise EngineUnavailable(
                f"The engine did not answer {method} {path} within {within_s:g} seconds."
            ) from problem
        except (OSError, http.client.HTTPException) as problem:
            sentence = f"The engine does not answer on {self.socket} ({_reason(problem)})."
            raise EngineUnavailable(sentence) from problem
        finally:
            connection.close()


_Query = (
    ConfigQuery | ConnectionsQuery | EventsQuery | AuditQuery | StatusQuery | SamplesQuery | CopyQuery | LastCheckQuery
)


def _asking(path: str, query: _Query) -> str:
    given = {each.name: getattr(query, each.name) for each in fields(query) if getattr(query, each.name)}
    return f"{path}?{urlencode(given)}" if given else path


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, within_s: float) -> None:
        super().__init__("localhost", timeout=within_s)
        self._path = path
        self._within_s = within_s

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self._within_s)
            with short_address(self._path) as address:
                made.connect(address)
        except BaseException:
            made.close()
            raise
        self.sock = made


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Give an address for a Unix socket that fits into 107 bytes, valid inside the `with`.

    Raises OSError if the folder is not there, or if nothing makes the address short enough.
    """
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    if OPEN_FILES.is_dir():
        folder = os.open(path.parent, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield str(OPEN_FILES / str(folder) / path.name)
        finally:
            os.close(folder)
        return
    relative = os.path.relpath(path)
    if len(os.fsencode(relative)) > ADDRESS_BYTES_MAX:
        raise OSError(f"its path is longer than the {ADDRESS_BYTES_MAX} bytes a Unix socket's address may have")
    yield relative


def _reason(problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "there is no socket: the engine is not running"
    if isinstance(problem, ConnectionRefusedError):
        return "nobody listens there: the engine is not running"
    if isinstance(problem, PermissionError):
        return "this user may not connect to it"
    if isinstance(problem, OSError):
        return problem.strerror or str(problem)
    return str(problem) or type(problem).__name__
