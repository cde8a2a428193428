"""A } too many cuts a block in two: that is told at the first line that it cut off, and stops an Apply."""

import pytest

from piranha.config.faults import Severity
from piranha.config.load import load

WHOLE = """\
virtual web {
     active = 1
     address = 192.0.2.80 eth0:1
     port = 8080
     scheduler = rr
     server a {
         address = 10.0.0.1
         active = 1
         weight = 3
     }
}
virtual mail {
     active = 0
}
"""


def cuts(text: str) -> list[tuple[int, str, str, bool]]:
    """Return line, path, keyword of each cut, and whether it stops an Apply."""
    found = [fault for fault in load(text).faults if fault.code == "cut-block"]
    assert {fault.severity for fault in found} <= {Severity.ERROR}
    return [(fault.line, fault.path, fault.keyword, fault.stops_apply) for fault in found]


def test_a_virtual_server_closed_in_its_middle_is_told_once() -> None:
    text = "virtual web {\n     active = 1\n     }\n     port = 8080\n     scheduler = rr\n}\n"
    assert cuts(text) == [(4, "", "port", True)]
    (fault,) = [fault for fault in load(text).faults if fault.code == "cut-block"]
    assert "line 6" in fault.message and fault.text == "port"


def test_a_real_server_closed_in_its_middle_is_told_in_its_virtual_server() -> None:
    assert cuts(WHOLE.replace("         weight = 3\n", "     }\n         weight = 3\n")) == [
        (10, "virtual[web]", "weight", True)
    ]


def test_each_surplus_brace_is_told_of() -> None:
    text = "virtual a {\n}\nport = 1\nscheduler = rr\n}\nvirtual b {\n}\nport = 2\n}\nkeepalive = 6\n"
    assert cuts(text) == [(3, "", "port", True), (8, "", "port", True)]


def test_a_brace_above_the_lines_is_one_too_many_as_well() -> None:
    assert cuts("virtual a {\n}\n}\nport = 1\n") == [(4, "", "port", True)]


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        WHOLE + "}\n",
        WHOLE + "}\nkeepalive = 6\ncolour = red\n",
        WHOLE + "port = 80\n",
        WHOLE.replace("     scheduler = rr\n", "     keepalive = 6\n") + "}\n",
    ],
)
def test_a_surplus_brace_or_a_misplaced_keyword_alone_cuts_nothing(text: str) -> None:
    assert cuts(text) == []


def test_a_missing_brace_matters_only_where_something_follows() -> None:
    faults = load(WHOLE.removesuffix("}\n")).faults
    assert [fault.severity for fault in faults if fault.code == "unclosed-block"] == [Severity.WARNING]
    faults = load(WHOLE.replace("     }\n}\n", "     }\n")).faults
    assert [(fault.severity, fault.stops_apply) for fault in faults if fault.code == "missing-brace"] == [
        (Severity.ERROR, True)
    ]
