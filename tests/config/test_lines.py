"""What a line says, and what is odd about it: comments, quotes, an = too many."""

import pytest

from piranha.config.fields import Scope, ValueFault, field
from piranha.config.load import load
from piranha.config.strict import check
from piranha.errors import ConfigSyntaxError


def said(line: str, keyword: str, before: str = "") -> tuple[str | None, list[str], list[str]]:
    """Return the value of a keyword, and codes and advice of the faults of its line."""
    loaded = load(f"{before}{line}\n")
    path = loaded.document.blocks()[0] if before else ()
    statement = loaded.document.statement(path, keyword)
    assert statement is not None
    faults = [fault for fault in loaded.faults if fault.line == statement.line and fault.code != "short-deadtime"]
    return (
        None if statement.is_bad else statement.value,
        [each.code for each in faults],
        [each.advice for each in faults],
    )


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("keepalive = 6 # was '5", "6"),
        ('keepalive = 6 # the "old one', "6"),
        ("keepalive = 6 #'", "6"),
        ('keepalive = "6" # the "old" one', "6"),
        ("keepalive = '6'\t# it's", "6"),
        ('nat_router = 10.0.0.254 eth1:1 # "the gateway', "10.0.0.254 eth1:1"),
        ('nat_router = 10.0.0.254 # "the gateway', "10.0.0.254"),
    ],
)
def test_quotes_in_a_trailing_comment_are_harmless(line: str, value: str) -> None:
    keyword = line.split()[0]
    found, codes, _ = said(line, keyword)
    assert found == value
    assert "trailing-comment" in codes and "bad-quoting" not in codes


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ('"HTTP" # was "FTP"', "HTTP"),
        ('"HTTP" # was "FTP', "HTTP"),
        ("HTTP # don't", "HTTP"),
        ('"GET /" # the "old" one', "GET /"),
        # One word to the end of the line for the originals: their meaning stands.
        ('"HTTP" # was FTP"', 'HTTP" # was FTP'),
        ('"a # b"', "a # b"),
    ],
)
def test_a_comment_behind_a_quoted_text_is_one_where_the_originals_read_no_single_word(value: str, meant: str) -> None:
    assert said(f"     expect = {value}", "expect", "virtual v {\n")[0] == meant


def test_an_open_quote_that_is_in_no_comment_is_still_told() -> None:
    assert said('nat_router = "10.0.0.254 eth1:1', "nat_router")[1] == ["bad-quoting"]
    assert said("keepalive = '6 # five", "keepalive")[1] == ["bad-quoting"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("keepalive == 6", "extra-words"),
        ("keepalive = = 6", "extra-words"),
        ("keepalive ==6", "extra-words"),
        ("primary = # 192.0.2.1", "missing-value"),
        ("primary = #", "bad-value"),
        ("nat_router = # 192.0.2.1", "missing-value"),
        ("active_cmd = # /bin/true", "missing-value"),
        ("keepalive = 6 seconds", "extra-words"),
    ],
)
def test_nobody_is_advised_to_remove_the_value(line: str, code: str) -> None:
    value, codes, advice = said(line, line.split()[0])
    assert code in codes
    assert value is None or code == "bad-value"
    assert not any("emove" in each for each in advice)


def test_a_lone_hash_that_the_originals_took_for_the_device_is_told() -> None:
    value, codes, advice = said("nat_router = 10.0.0.1 #", "nat_router")
    assert value == "10.0.0.1" and set(codes) == {"missing-device", "trailing-comment"}
    assert any("takes # for the device" in each for each in advice)


@pytest.mark.parametrize("line", ['nat_router = "a b" c', 'nat_router = "10.0.0.1 eth0" eth1', "nat_router = 'a\tb' c"])
def test_strictly_an_address_with_a_blank_in_it_is_none(line: str) -> None:
    with pytest.raises(ConfigSyntaxError) as refused:
        check(f"{line}\n")
    assert (refused.value.code, refused.value.line) == ("BADARGUMENT", 1)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("keepalive = 4294967295", "4294967295 is out of range."),
        ("heartbeat_port = 0x1ffff", "0x1ffff is out of range."),
        ("keepalive = 0", "0 is out of range."),
    ],
)
def test_a_number_out_of_range_is_told_as_it_was_written(line: str, told: str) -> None:
    assert told in [fault.message for fault in load(f"{line}\n").faults]


@pytest.mark.parametrize(
    ("text", "mark"), [("4294967295", 4294967295), ("0x80000000", 2**31), ("4294967297", 1), ("-1", -1)]
)
def test_a_firewall_mark_has_32_bits_and_no_sign(text: str, mark: int) -> None:
    loaded = load(f"virtual v {{\n     active = 1\n     fwmark = {text}\n}}\n")
    assert loaded.cluster.virtual_servers[0].fwmark == mark
    assert ("out-of-range" in [fault.code for fault in loaded.faults]) == (mark < 0)


@pytest.mark.parametrize("text", ["4294967296", "4294967297", "99999999999999999999"])
def test_nobody_is_advised_to_write_what_32_bits_leave_of_a_number_that_was_typed(text: str) -> None:
    row = field(Scope.VIRTUAL, "fwmark")
    assert row is not None
    refused = row.read_typed(text)
    assert isinstance(refused, ValueFault)
    assert (refused.message, refused.advice) == (
        f"{text} is out of range.",
        "Write a whole number from 0 to 4294967295.",
    )


@pytest.mark.parametrize(("keyword", "default"), [("rsh_command", "rsh"), ("syncd_iface", "eth0")])
def test_an_empty_text_that_counts_as_the_default_is_told(keyword: str, default: str) -> None:
    faults = [fault for fault in load(f'{keyword} = ""\n').faults if fault.keyword == keyword]
    assert [(fault.code, fault.message) for fault in faults] == [
        ("spelling", f"It is empty, which counts as {default} here.")
    ]
