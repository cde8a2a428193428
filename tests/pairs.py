"""Pairs of routers as the status tells them, for the tests of pages and commands."""

from dataclasses import replace
from typing import Any

from piranha.router_status import (
    ChannelStatus,
    PartnerStatus,
    RedundancyStatus,
    RejectedStatus,
    RoleStatus,
    SaidStatus,
)

AT = "2026-11-23T10:00:00+00:00"
PUBLIC = ChannelStatus("public", "192.0.2.11", "192.0.2.12", "eth0", "up", 1.2, 900, 0.0)
PRIVATE = ChannelStatus("private", "10.9.0.1", "10.9.0.2", "eth1", "up", 1.3, 890, 0.02)
PARTNER = PartnerStatus(
    "192.0.2.12", "new", "passive", 1.2, "backup", True, True, True, True, True, 6.0, 18.0, 3, 4, 2, 2
)
WELL = RedundancyStatus(
    role="primary",
    state="active",
    since=AT,
    is_alone=False,
    partner=PARTNER,
    channels=(PUBLIC, PRIVATE),
    keepalive_s=6.0,
    deadtime_s=18.0,
    has_key=True,
    said=(SaidStatus(AT, "partner dead: activating lvs (nothing heard for 18.0 s)"),),
)
"""An active primary whose backup is ready."""
ALONE = replace(WELL, is_alone=True, partner=None, channels=(), has_key=False)
UNHEARD = replace(
    WELL,
    partner=PartnerStatus("192.0.2.12"),
    channels=(
        replace(PUBLIC, heard_s_ago=None, heard=0, loss=None),
        replace(PRIVATE, heard_s_ago=None, heard=0, loss=None, link="down"),
    ),
    rejected=(
        RejectedStatus("signed with another key, or changed on its way", 1234),
        RejectedStatus("not from an address of the partner", 3),
    ),
)
"""Nothing was ever heard of the partner."""


def passive(**changes: Any) -> RedundancyStatus:
    """Return a passive backup whose primary is active."""
    there = replace(PARTNER, address="192.0.2.11", state="active", role="primary")
    return replace(WELL, role="backup", state="passive", partner=there, **changes)


def with_partner(status: RedundancyStatus = WELL, **changes: Any) -> RedundancyStatus:
    """Return a pair with something else known of the partner."""
    assert status.partner is not None
    return replace(status, partner=replace(status.partner, **changes))


SILENT = with_partner(state="unknown", heard_s_ago=25.0)
"""The partner was heard, and is not any more."""
ORIGINAL = replace(
    WELL,
    partner=PartnerStatus("192.0.2.12", "original", "passive", 2.0),
    channels=(PUBLIC,),
    has_key=False,
)
BAD = replace(
    with_partner(
        UNHEARD, kind="new", state="active", heard_s_ago=1.0, role="backup", keepalive_s=2.0, deadtime_s=5.0,
        has_same_config=False, is_ready=False, public_up=False, private_up=True,
    ),
    has_key=False,
    failback_in_s=None,
    trouble=("The shared key cannot be read: permission denied.",),
)  # fmt: skip
"""All that can be wrong at once."""


def role_of(status: RedundancyStatus) -> RoleStatus:
    """Return what a summary says of a pair."""
    there = status.partner
    address = there.address if there is not None else ""
    state = there.state if there is not None else ""
    return RoleStatus(status.state == "active", address, "", status.role, status.state, state)
