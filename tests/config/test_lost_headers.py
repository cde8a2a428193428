"""A line that was meant to begin a block and does not is an error that stops an Apply, whatever became of its block."""

import pytest

from piranha.config.faults import Severity
from piranha.config.load import load

ACTIVE = """\
virtual web {{
     active = 1
     address = 192.0.2.80 eth0:1
     port = 80
     server a {{
         address = 10.0.0.1
         active = 1
     }}
     {0}
         address = 10.0.0.2
         active = 0
     }}
}}
"""


@pytest.mark.parametrize(
    ("header", "write"),
    [
        ("sever q {", "server q {"),
        ("Server q {", "server q {"),
        ("srever q {", "server q {"),
        ("service q {", "server q {"),
        ("server q", "server q {"),
        ("server q(", "server q {"),
        ("server=q {", "server q {"),
        ("server =q {", None),
        ("server: q {", "server q {"),
        ("vserver q {", "server q {"),
        ("vritual q {", "virtual q {"),
        ("server q { } {{", None),
        ("server q { weight = 1 }", "server NAME {"),
        ("real q {", "server NAME {"),
        ("q = {", "server NAME {"),
        ("{", "server NAME {"),
    ],
)
def test_one_typo_in_the_header_of_a_spare_server_stops_an_apply(header: str, write: str | None) -> None:
    loaded = load(ACTIVE.format(header.replace("{{", "{")))
    errors = [fault for fault in loaded.faults if fault.severity is Severity.ERROR]
    if write is None:  # a block begins here, if an odd one
        assert "server" in [block.scope.value for block in loaded.document.root.blocks[0].blocks[1:]]
        return
    assert not loaded.cluster.virtual_servers[0].is_active, "the lost block's own line counts: that is the danger"
    (lost,) = [fault for fault in errors if fault.code == "bad-header"]
    assert lost.stops_apply and lost.line == 9
    assert write in lost.advice and "read as if it belonged to what is around it" in lost.advice


@pytest.mark.parametrize("active", ["0", "1"])
@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "keepalive: 6", "}}"])
def test_a_line_that_is_not_understood_stops_an_apply_wherever_it_stands(line: str, active: str) -> None:
    text = f"virtual web {{\n     active = {active}\n     {line}\n}}\n"
    (fault,) = [fault for fault in load(text).faults if fault.code == "not-understood"]
    assert fault.stops_apply
    assert "block" not in fault.advice


@pytest.mark.parametrize("line", ["virtual=web {", "virtual= web {", "virtual =web", "virtual = web", "failover=x {"])
def test_an_equals_sign_in_a_header_is_told_with_what_to_write(line: str) -> None:
    faults = load(f"{line}\n     active = 1\n").faults
    assert [fault.code for fault in faults if fault.line == 1] == ["bad-header"]
    kind, name = line.replace("=", " ").split()[:2]
    assert f"Write {kind} {name} {{" in faults[0].advice or f"Write {kind} {name} {{" in faults[1].advice


@pytest.mark.parametrize(
    "line",
    ["services = lvs", "colour = red", "colour = red # was {", "colour = {red}", "# sever q {", 'colour = "{"'],
)
def test_an_unknown_keyword_is_no_lost_header(line: str) -> None:
    assert "bad-header" not in [fault.code for fault in load(f"{line}\n").faults]
