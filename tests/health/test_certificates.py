"""Whose a certificate is, by the rules of RFC 6125, and when it ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.health.certificates import DAY_S, is_for, name_fault, warning
from piranha.health.check import Tls


@pytest.mark.parametrize(
    ("name", "told", "is_it"),
    [
        ("www.example.com", "www.example.com", True),
        ("www.example.com", "WWW.Example.COM.", True),
        ("www.example.com", "example.com", False),
        ("example.com", "www.example.com", False),
        ("www.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("a.b.example.com", "*.example.com", False),
        ("www.example.com", "w*.example.com", False),
        ("www.example.com", "*", False),
        ("example.com", "*.com", False),
        ("www.example.com", "*.*.com", False),
        ("www.example.com", "www.*.com", False),
        ("localhost", "localhost", True),
        ("www.example.com", "", False),
        ("www.example.com", "*.", False),
    ],
)
def test_a_name(name: str, told: str, is_it: bool) -> None:
    assert is_for(name, [("DNS", told)]) is is_it
    assert not is_for(name, [("URI", told), ("email", told)])


def test_an_address_is_compared_with_addresses_alone() -> None:
    assert is_for("10.0.0.1", [("DNS", "x"), ("IP Address", "10.0.0.1")])
    assert is_for("2001:db8::1", [("IP Address", "2001:DB8:0:0:0:0:0:1\n")])
    assert not is_for("10.0.0.1", [("DNS", "10.0.0.1"), ("IP Address", "10.0.0.2"), ("IP Address", "<invalid>")])


@given(st.text(), st.lists(st.tuples(st.sampled_from(["DNS", "IP Address", "URI"]), st.text())))
def test_nothing_in_a_certificate_raises(name: str, told: list[tuple[str, str]]) -> None:
    tls = Tls(name or "x")
    fault = name_fault("10.0.0.1:443", tls, told)
    assert bool(fault) is not is_for(tls.name, told)
    assert len(fault) < 1000 + len(tls.name)


def test_the_fault_names_some_names_and_no_letter_that_drives_a_terminal() -> None:
    told = [("DNS", f"\x1b[{n}.example.com") for n in range(7)]
    fault = name_fault("IT", Tls("www.example.com"), told)
    assert fault.startswith("certificate of IT is for another name: \\x1b[0.example.com, ")
    assert fault.endswith("\\x1b[4.example.com and 2 more, expected www.example.com")
    assert name_fault("IT", Tls("www.example.com", verifies_name=False), told) == ""


@pytest.mark.parametrize(
    ("left_s", "said"),
    [
        (14 * DAY_S, ""),
        (14 * DAY_S - 1, "; its certificate ends in 13 days"),
        (1.5 * DAY_S, "; its certificate ends in 1 day"),
        (0.5 * DAY_S, "; its certificate ends today"),
    ],
)
def test_an_end_that_is_near_is_told(left_s: float, said: str) -> None:
    now = 1_800_000_000.0
    assert warning(Tls("x", warn_days=14), now + left_s, now) == said
    assert warning(Tls("x", warn_days=0), now + left_s, now) == warning(Tls("x", warn_days=14), None, now) == ""
