"""The rows of the routing table in words."""

from dataclasses import replace

import pytest
from flask import Flask

from piranha.status import Health, HealthState, OverrideStatus, ServerStatus, Source, Traffic
from piranha.web.server_rows import RowWriter, ServerRow

AT = "2026-11-23T10:30:00+00:00"
UP = Health(HealthState.UP, "answered", AT, Source("check", 2.9), 2, 2)
SERVER = ServerStatus(
    "virtual[a].server[b]", "b", "server", "10.0.0.1", 80, True, 1, UP, Traffic(1, 7, 0, 9, 1, 2, Source("t", 0.1))
)
DRAIN = OverrideStatus(1, "drain", "b", SERVER.path, 0, "ann", "", AT)


@pytest.fixture
def row(app: Flask):
    def written(**changes: object) -> ServerRow:
        with app.test_request_context("/"):
            return RowWriter().row(replace(SERVER, **changes))

    return written


def drained(connections: int, **changes: object) -> dict[str, object]:
    traffic = replace(SERVER.traffic, weight=0, active_connections=connections)
    return {"traffic": traffic, "overrides": (replace(DRAIN, **changes),), "explanation": "drained by hand"}


def test_one_that_is_well_says_little(row) -> None:
    found = row()
    assert (found.place, found.weight, found.of_weight, found.by_hand, found.role) == ("10.0.0.1:80", "1", "", "", "")
    assert (found.health.sign, found.health.word) == ("●", "up")
    assert found.why == "answered Since 2026-11-23 10:30:00." and found.checked == "Checked 2 s ago."
    assert found.does == "drain"
    assert row(address="2001:db8::1").place == "[2001:db8::1]:80"


@pytest.mark.parametrize(
    ("connections", "left"),
    [
        (0, "no connection is left"),
        (1, "still 1 connection"),
        (2, "still 2 connections"),
        (1234, "still 1,234 connections"),
    ],
)
def test_a_drain_says_how_many_connections_are_left(row, connections: int, left: str) -> None:
    found = row(**drained(connections))
    assert found.by_hand == f"Drained by hand; {left}." and found.does == "undrain"
    assert found.of_weight == "of 1" and "drained by hand" not in found.why


def test_a_drain_with_an_end_counts_down(row) -> None:
    assert row(**drained(0, ends_in_s=59.9)).by_hand.startswith("Drained by hand, ends in 59 s;")
    assert row(**drained(0, ends_in_s=7199.0)).by_hand.startswith("Drained by hand, ends in 119 min;")


def test_a_weight_and_a_drain_are_both_told(row) -> None:
    weight = OverrideStatus(2, "weight", "b", "10.0.0.1", 5, "ann", "", AT)
    found = row(**drained(1) | {"overrides": (DRAIN, weight)})
    assert found.by_hand == "Drained by hand; still 1 connection. Weight 5 by hand."


def test_what_is_not_in_force_has_no_health_and_no_drain(row) -> None:
    found = row(is_active=False)
    assert (found.health.word, found.does, found.of_weight) == ("not active", "", "")
    assert row(is_active=False, overrides=(DRAIN,)).does == "undrain", "what is set can be taken back"


def test_what_lvs_cf_does_not_name_has_a_role_and_no_button(row) -> None:
    found = row(path="", role="draining", drain_ends_in_s=61.0, explanation="removed from lvs.cf, drains")
    assert (found.role, found.does) == ("draining", "")
    assert found.why.endswith("removed from lvs.cf, drains Leaves in 61 s at the latest.")
    assert row(path="", role="sorry").role == "sorry server"


def test_a_recovery_counts_its_checks_and_one_that_was_never_checked_has_no_age(row) -> None:
    coming = replace(UP, state=HealthState.DOWN, checks_good=1, source=Source("check", None))
    found = row(health=coming, traffic=replace(SERVER.traffic, weight=None))
    assert "1 of 2 good checks." in found.why and found.checked == "" and found.weight == "–"
