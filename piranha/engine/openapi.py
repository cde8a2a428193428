"""The API's calls, and their OpenAPI description generated from the message types."""

import re
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from piranha import check_messages, messages, monitoring, records, status, sync_messages


@dataclass(frozen=True, slots=True)
class Call:
    """One call: method and path, the name of its handler, what it takes and what it answers.

    What a POST takes is its body; what a GET takes are fields of its query.
    """

    method: str
    path: str
    name: str
    summary: str
    takes: type | None
    answers: type | None
    refusals: tuple[int, ...] = ()


CALLS = (
    Call("GET", "/v1/openapi.json", "describe_api", "This description.", None, None),
    Call(
        "GET",
        "/v1/config",
        "read_config",
        "lvs.cf as it is on the disk.",
        messages.ConfigQuery,
        messages.SavedConfig,
    ),
    Call(
        "POST",
        "/v1/config",
        "save_config",
        "Edit lvs.cf, if the parts concerned are as expected.",
        messages.SaveRequest,
        messages.SaveAnswer,
        (409, 422, 503),
    ),
    Call(
        "POST",
        "/v1/config/create",
        "create_config",
        "Create a missing lvs.cf.",
        None,
        messages.SaveAnswer,
        (503,),
    ),
    Call(
        "POST",
        "/v1/config/adopt",
        "adopt_config",
        "Make the text of another file lvs.cf.",
        messages.AdoptRequest,
        messages.SaveAnswer,
        (409, 422, 503),
    ),
    Call("GET", "/v1/history", "read_history", "The versions of lvs.cf that are kept.", None, messages.History),
    Call(
        "GET",
        "/v1/history/{number}",
        "read_version",
        "One version of lvs.cf with its text.",
        None,
        messages.VersionText,
        (404, 503),
    ),
    Call(
        "POST",
        "/v1/rollback",
        "rollback",
        "Save the text of a kept version again, as a new version.",
        messages.RollbackRequest,
        messages.SaveAnswer,
        (404, 409, 422, 503),
    ),
    Call("GET", "/v1/running", "read_running", "The text that was applied last.", None, messages.SavedConfig),
    Call("GET", "/v1/plan", "plan", "What Apply would do.", None, messages.Plan, (503,)),
    Call(
        "POST",
        "/v1/apply",
        "apply",
        "Make the saved lvs.cf the one that runs.",
        messages.ApplyRequest,
        messages.ApplyAnswer,
        (409, 422, 503),
    ),
    Call(
        "POST",
        "/v1/confirm",
        "confirm",
        "Let what was applied run on.",
        messages.ConfirmRequest,
        messages.ConfirmAnswer,
        (409, 503),
    ),
    Call(
        "POST",
        "/v1/revert",
        "revert",
        "Run what ran before the Apply that waits for its confirmation.",
        messages.ConfirmRequest,
        messages.RevertAnswer,
        (409,),
    ),
    Call(
        "GET",
        "/v1/copy",
        "read_copy",
        "This router's copy of what both routers have the same: lvs.cf and a part of piranha.toml.",
        sync_messages.CopyQuery,
        sync_messages.CopyState,
    ),
    Call(
        "POST",
        "/v1/copy",
        "receive_copy",
        "Have the partner's copy here, byte for byte.",
        sync_messages.ReceiveRequest,
        sync_messages.ReceiveAnswer,
        (409, 422, 503),
    ),
    Call(
        "POST",
        "/v1/sync",
        "sync",
        "Compare this router's copy with the partner's, or send it there.",
        sync_messages.SyncRequest,
        sync_messages.SyncAnswer,
        (503,),
    ),
    Call(
        "GET",
        "/v1/events",
        "events",
        "What the engine did, and why.",
        records.EventsQuery,
        records.EventsAnswer,
    ),
    Call("GET", "/v1/audit", "audit", "Who did what, from where.", records.AuditQuery, records.AuditAnswer),
    Call(
        "POST",
        "/v1/audit/login",
        "audit_login",
        "Put a log-in, a log-out or a refused log-in of the GUI into the audit; for the GUI's user alone.",
        records.LoginNote,
        records.LoginNoted,
        (503,),
    ),
    Call("POST", "/v1/stop", "stop", "Run nothing until LVS is started.", None, monitoring.RunAnswer, (503,)),
    Call("POST", "/v1/start", "start", "Start LVS with the saved lvs.cf.", None, monitoring.RunAnswer, (409, 503)),
    Call(
        "POST",
        "/v1/failover",
        "failover",
        "Have this router hand over, take over, hold or release: what an operator wants of the pair.",
        monitoring.FailoverRequest,
        monitoring.FailoverAnswer,
        (422, 503),
    ),
    Call(
        "GET",
        "/v1/status",
        "status",
        "What runs, with source and age: everything, or a part.",
        monitoring.StatusQuery,
        status.EngineStatus,
    ),
    Call("GET", "/v1/summary", "summary", "How it stands, in short.", None, monitoring.Summary),
    Call(
        "GET",
        "/v1/samples",
        "samples",
        "The traffic of a virtual server in the last hour.",
        monitoring.SamplesQuery,
        monitoring.SamplesAnswer,
    ),
    Call(
        "GET",
        "/v1/connections",
        "connections",
        "Which client is on which real server.",
        messages.ConnectionsQuery,
        messages.ConnectionsAnswer,
    ),
    Call(
        "POST",
        "/v1/try",
        "try_checks",
        "Make a check once, with values that are not saved; nothing is changed by it.",
        check_messages.TryRequest,
        check_messages.TryAnswer,
        (422, 429, 503),
    ),
    Call(
        "GET",
        "/v1/checks",
        "last_check",
        "How the last check of a real server went.",
        check_messages.LastCheckQuery,
        check_messages.LastCheck,
    ),
    Call(
        "POST",
        "/v1/overrides",
        "override",
        "Drain a real server or set its weight by hand.",
        messages.OverrideRequest,
        messages.OverrideAnswer,
        (422,),
    ),
    Call(
        "POST",
        "/v1/overrides/clear",
        "clear_overrides",
        "Clear what was set by hand.",
        messages.ClearRequest,
        messages.OverrideAnswer,
        (422,),
    ),
)


@cache
def description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the API."""
    types = [call.takes for call in CALLS if call.takes] + [call.answers for call in CALLS if call.answers]
    types = [*dict.fromkeys(types), messages.Refusal]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Piranha engine", "version": program_version()},
        "servers": [{"url": "http://localhost", "description": "the Unix socket /run/piranha/lvs.sock"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(call: Call, schema_of: dict[type, dict[str, Any]]) -> dict[str, Any]:
    answer = schema_of[call.answers] if call.answers else {"type": "object"}
    responses: dict[str, Any] = {"200": _body("Done.", answer)}
    for code in (400, 403, *call.refusals):
        responses[str(code)] = _body("Refused; nothing was changed.", schema_of[messages.Refusal])
    operation: dict[str, Any] = {"operationId": call.name, "summary": call.summary, "responses": responses}
    if numbers := re.findall(r"\{(\w+)\}", call.path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
            for name in numbers
        ]
    if call.takes and call.method == "GET":
        operation["parameters"] = [
            {"name": each.name, "in": "query", "required": False, "schema": {"type": "string"}}
            for each in fields(call.takes)
        ]
    elif call.takes:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[call.takes]}},
        }
    return operation


def _body(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def program_version() -> str:
    """Return the version of Piranha."""
    try:
        return version("piranha-lvs")
    except PackageNotFoundError:
        return "unknown"
