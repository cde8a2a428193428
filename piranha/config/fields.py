"""The table of keywords: one row per keyword and meaning. Forms, edits, rules, reading and writing all ask it.

Types and readings are in `field_types` and `values`, the rows in `global_fields` and `service_fields`; everything that
other rooms need can be imported from here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from piranha.config.field_types import (
    LONGEST_NAME,
    LONGEST_TEXT,
    Choice,
    Field,
    FieldType,
    Scope,
    Status,
    name_fault,
)
from piranha.config.global_fields import FORWARDING_METHODS, GLOBAL_FIELDS, SERVICE_KINDS
from piranha.config.kept_fields import GUI_ONLY_FIELDS, IGNORED_SERVICE_FIELDS
from piranha.config.service_fields import LOAD_MONITORS, SCHEDULERS, SERVER_FIELDS, SERVICE_FIELDS
from piranha.config.values import Reading, Value, ValueFault, device_fault

__all__ = [
    "ALIASES",
    "FIELDS",
    "FORWARDING_METHODS",
    "LOAD_MONITORS",
    "LONGEST_NAME",
    "LONGEST_TEXT",
    "NETMASKS",
    "NEW_REAL_SERVER",
    "NEW_VIRTUAL_SERVER",
    "ORDER",
    "SCHEDULERS",
    "SERVICE_KINDS",
    "Choice",
    "Field",
    "FieldType",
    "Reading",
    "Scope",
    "Status",
    "Value",
    "ValueFault",
    "block_name_fault",
    "default_of",
    "device_fault",
    "field",
    "scopes_of",
]

FIELDS: tuple[Field, ...] = (
    *GLOBAL_FIELDS,
    *SERVICE_FIELDS,
    *IGNORED_SERVICE_FIELDS,
    *SERVER_FIELDS,
    *GUI_ONLY_FIELDS,
)
"""Every row. A keyword has several rows where it means different things in different scopes."""

_BY_SCOPE: Mapping[Scope, Mapping[str, Field]] = MappingProxyType(
    {scope: {row.keyword: row for row in FIELDS if scope in row.scopes} for scope in Scope}
)

ALIASES: Mapping[tuple[Scope, str], str] = MappingProxyType(
    {(Scope.GLOBAL, "debug"): "debug_level", (Scope.GLOBAL, "heatbeart"): "heartbeat"}
)
"""Misspellings that old programs and manuals made, and what they stand for. Read, never written."""

ORDER: Mapping[Scope, tuple[str, ...]] = MappingProxyType(
    {
        Scope.GLOBAL: (
            "serial_no", "primary", "primary_private", "primary_shared", "service", "rsh_command", "ipvsadm",
            "backup_active", "backup", "backup_private", "backup_shared", "heartbeat", "heartbeat_port",
            "keepalive", "deadtime", "network", "nat_router", "nat_nmask", "reservation_conflict_action",
            "debug_level", "active_cmd", "inactive_cmd", "monitor_links", "syncdaemon", "syncd_iface",
            "syncd_id", "tcp_timeout", "tcpfin_timeout", "udp_timeout", "hard_shutdown", "sync", "mode",
            "heartbeat_dev",
        ),
        Scope.VIRTUAL: (
            "active", "address", "sorry_server", "vip_nmask", "fwmark", "port", "persistent", "pmask", "send",
            "expect", "use_regex", "send_program", "expect_program", "load_monitor", "scheduler", "deadtime",
            "protocol", "timeout", "reentry", "quiesce_server", "start_cmd", "stop_cmd", "client_monitor",
            "master", "dirs",
        ),
        Scope.FAILOVER: (
            "address", "vip_nmask", "active", "port", "timeout", "heartbeat", "send", "expect", "send_program",
            "expect_program", "start_cmd", "stop_cmd", "client_monitor", "protocol", "reentry", "sorry_server",
            "fwmark", "persistent", "pmask", "use_regex", "load_monitor", "scheduler", "quiesce_server",
            "master", "dirs",
        ),
        Scope.SERVER: (
            "address", "nmask", "active", "port", "weight", "log_file",
        ),
    }
)  # fmt: skip
"""The order in which keywords are written (reference 4.3)."""

_MASKS = (
    *(f"255.255.255.{last}" for last in (255, 252, 248, 240, 224, 192, 128)),
    *(f"255.255.{third}.0" for third in (255, 254, 252, 248, 240, 224, 192, 128)),
    "255.255.0.0",
)
NETMASKS: tuple[Choice, ...] = tuple(
    Choice(mask, f"{mask} (/{sum(int(part).bit_count() for part in mask.split('.'))})") for mask in _MASKS
)
"""The 16 netmasks of the drop-downs, in their order."""

NEW_VIRTUAL_SERVER: Mapping[str, str] = MappingProxyType(
    {
        "active": "0",
        "address": "0.0.0.0 eth0:1",
        "port": "80",
        "send": r"GET / HTTP/1.0\r\n\r\n",
        "expect": "HTTP",
        "use_regex": "0",
        "load_monitor": "none",
        "scheduler": "wlc",
        "protocol": "tcp",
        "timeout": "6",
        "reentry": "15",
        "quiesce_server": "0",
    }
)
"""What ADD offers for a new virtual server."""

NEW_REAL_SERVER: Mapping[str, str] = MappingProxyType({"address": "0.0.0.0", "active": "0", "weight": "1"})
"""What ADD offers for a new real server."""


def field(scope: Scope, keyword: str) -> Field | None:
    """Return the row of a keyword in a scope, or None if it does not belong there."""
    return _BY_SCOPE[scope].get(keyword)


def scopes_of(keyword: str) -> tuple[Scope, ...]:
    """Return the scopes where a keyword may stand."""
    return tuple(scope for scope in Scope if keyword in _BY_SCOPE[scope])


def default_of(scope: Scope, keyword: str) -> str | None:
    """Return the effective text where a keyword is absent, None if that is "unset". Raises KeyError for a stranger."""
    return _BY_SCOPE[scope][keyword].default


def block_name_fault(name: str) -> ValueFault | None:
    """Say why a block may not be given this name by a person, or None. Uniqueness is the document's business."""
    return name_fault(name)
