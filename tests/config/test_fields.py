"""The table of keywords: complete, and one rule for files, another for what a person types."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.fields import (
    FIELDS,
    NETMASKS,
    NEW_REAL_SERVER,
    NEW_VIRTUAL_SERVER,
    ORDER,
    SCHEDULERS,
    Field,
    FieldType,
    Scope,
    Status,
    ValueFault,
    block_name_fault,
    field,
)
from piranha.config.model import FloatingAddress

# Reference 2.1 to 2.3: keyword and the default that is in force where it is absent.
GLOBAL_DEFAULTS = {
    "serial_no": "0", "primary": None, "primary_private": None, "backup": None, "backup_private": None,
    "backup_active": "0", "heartbeat": "0", "heartbeat_port": "539", "keepalive": "2", "deadtime": "5",
    "network": "nat", "nat_router": None, "nat_nmask": None, "service": "lvs", "rsh_command": "rsh",
    "debug_level": "NONE", "reservation_conflict_action": None, "primary_shared": None, "backup_shared": None,
    "active_cmd": None, "inactive_cmd": None, "monitor_links": "0", "syncdaemon": "0", "syncd_iface": "eth0",
    "syncd_id": "0", "tcp_timeout": "0", "tcpfin_timeout": "0", "udp_timeout": "0", "hard_shutdown": "1",
    "ipvsadm": "/sbin/ipvsadm", "sync": "0",
}  # fmt: skip
SERVICE_DEFAULTS = {
    "active": "0", "address": "0.0.0.0", "vip_nmask": None, "sorry_server": None, "fwmark": "0", "protocol": "tcp",
    "port": "80", "scheduler": "wlc", "persistent": "0", "pmask": None, "send": None, "expect": None,
    "use_regex": "0", "send_program": None, "timeout": "10", "reentry": "180", "load_monitor": None,
    "quiesce_server": "0", "client_monitor": "/usr/sbin/nanny", "start_cmd": None, "stop_cmd": None, "master": None,
    "dirs": None,
}  # fmt: skip
SERVER_DEFAULTS = {"address": "0.0.0.0", "active": "0", "weight": "1", "port": None}
GUI_ONLY = {
    Scope.VIRTUAL: {"expect_program", "deadtime"},
    Scope.FAILOVER: {"expect_program", "heartbeat"},
    Scope.SERVER: {"nmask", "log_file"},
    Scope.GLOBAL: {"mode", "heartbeat_dev"},
}


def row(scope: Scope, keyword: str) -> Field:
    found = field(scope, keyword)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("scope", "defaults"),
    [
        (Scope.GLOBAL, GLOBAL_DEFAULTS),
        (Scope.VIRTUAL, SERVICE_DEFAULTS),
        (Scope.FAILOVER, SERVICE_DEFAULTS),
        (Scope.SERVER, SERVER_DEFAULTS),
    ],
)
def test_every_keyword_of_the_reference_is_there_with_its_default(
    scope: Scope, defaults: dict[str, str | None]
) -> None:
    accepted = {each.keyword: each for each in FIELDS if scope in each.scopes and not each.status.is_refused}
    assert {keyword: each.default for keyword, each in accepted.items()} == defaults


@pytest.mark.parametrize("scope", list(Scope))
def test_keywords_of_old_guis_and_manuals_are_known_and_marked(scope: Scope) -> None:
    assert {each.keyword for each in FIELDS if scope in each.scopes and each.status.is_refused} == GUI_ONLY[scope]


@pytest.mark.parametrize("each", FIELDS, ids=lambda each: f"{'+'.join(sorted(each.scopes))}.{each.keyword}")
def test_every_field_has_words_for_the_person_and_a_default_that_is_a_value(each: Field) -> None:
    assert each.label
    assert not each.label.endswith(":")
    assert each.help.endswith(".")
    assert each.scopes
    assert isinstance(each.type, FieldType)
    if each.default is not None:
        assert not isinstance(each.read(each.default), ValueFault)
    if each.proposed is not None:
        assert not isinstance(each.read_typed(each.proposed), ValueFault)
    if each.example:
        assert not isinstance(each.read_typed(each.example), ValueFault)
    if each.type is FieldType.ENUM:
        assert each.choices


@pytest.mark.parametrize("scope", list(Scope))
def test_every_keyword_has_one_row_and_one_place_in_the_order(scope: Scope) -> None:
    keywords = [each.keyword for each in FIELDS if scope in each.scopes]
    assert sorted(keywords) == sorted(ORDER[scope])


def test_the_schedulers_are_those_of_the_manual_in_their_order_and_then_the_newer_ones() -> None:
    assert [choice.value for choice in SCHEDULERS if not choice.is_extension] == [
        "rr", "wlc", "wrr", "lc", "lblc", "lblcr", "dh", "sh",
    ]  # fmt: skip
    assert [choice.value for choice in SCHEDULERS if choice.is_extension] == ["sed", "nq", "fo", "ovf", "mh"]


def test_the_sixteen_netmasks_tell_their_prefix() -> None:
    assert len(NETMASKS) == 16
    assert NETMASKS[0].label == "255.255.255.255 (/32)"
    assert NETMASKS[8].label == "255.255.254.0 (/23)"
    assert NETMASKS[-1].label == "255.255.0.0 (/16)"


def test_what_add_offers_may_be_typed() -> None:
    for scope, offered in ((Scope.VIRTUAL, NEW_VIRTUAL_SERVER), (Scope.SERVER, NEW_REAL_SERVER)):
        for keyword, value in offered.items():
            assert not isinstance(row(scope, keyword).read_typed(value), ValueFault), keyword


READ = [
    (Scope.GLOBAL, "keepalive", "010", 8),
    (Scope.GLOBAL, "keepalive", "0x1F", 31),
    (Scope.GLOBAL, "keepalive", "-0", 0),
    (Scope.GLOBAL, "keepalive", "+6", 6),
    (Scope.GLOBAL, "keepalive", "4294967297", 1),
    (Scope.GLOBAL, "keepalive", "9" * 5000, -1),
    (Scope.GLOBAL, "serial_no", "2013042401", 2013042401),
    (Scope.GLOBAL, "serial_no", "201304240101", 201304240101),
    (Scope.GLOBAL, "monitor_links", "5", True),
    (Scope.GLOBAL, "heartbeat_port", "http", 80),
    (Scope.GLOBAL, "backup", "0.0.0.0", None),
    (Scope.GLOBAL, "primary", "10.1", IPv4Address("10.0.0.1")),
    (Scope.GLOBAL, "primary", "010.0.0.1", IPv4Address("8.0.0.1")),
    (Scope.GLOBAL, "primary", "0x7f.1", IPv4Address("127.0.0.1")),
    (Scope.GLOBAL, "primary", "lvs1.example.com", "lvs1.example.com"),
    (Scope.GLOBAL, "primary", "2001:db8::1", IPv6Address("2001:db8::1")),
    (Scope.GLOBAL, "nat_nmask", "24", IPv4Address("0.0.0.24")),
    (Scope.VIRTUAL, "vip_nmask", "0.0.0.0", None),
    (Scope.VIRTUAL, "pmask", "255.255.255.255", None),
    (Scope.VIRTUAL, "vip_nmask", "255.255.255.255", IPv4Address("255.255.255.255")),
    (Scope.VIRTUAL, "scheduler", "pcc", "lc"),
    (Scope.VIRTUAL, "address", "192.0.2.1 eth0:1", FloatingAddress(IPv4Address("192.0.2.1"), "eth0:1")),
    (Scope.VIRTUAL, "address", "192.0.2.1", FloatingAddress(IPv4Address("192.0.2.1"), "")),
    (Scope.SERVER, "active", "2", False),
    (Scope.VIRTUAL, "dirs", "/a /b", ("/a", "/b")),
]


@pytest.mark.parametrize(("scope", "keyword", "text", "value"), READ, ids=lambda each: str(each)[:30])
def test_a_text_from_a_file_is_read_as_the_daemons_read_it(
    scope: Scope, keyword: str, text: str, value: object
) -> None:
    read = row(scope, keyword).read(text)
    assert read == value
    assert type(read) is type(value)


NOT_READ = [
    (Scope.GLOBAL, "keepalive", "08", "INTEXPECTED"),
    (Scope.GLOBAL, "keepalive", "0x", "INTEXPECTED"),
    (Scope.GLOBAL, "keepalive", "5s", "INTEXPECTED"),
    (Scope.GLOBAL, "keepalive", "+", "INTEXPECTED"),
    (Scope.GLOBAL, "backup_active", "2", "BOOLEXPECTED"),
    (Scope.GLOBAL, "heartbeat_port", "00539", "BADARGUMENT"),
    (Scope.GLOBAL, "primary", "0.0.0.0", "BADHOSTNAME"),
    (Scope.GLOBAL, "primary", "300.1.1.1", "BADARGUMENT"),
    (Scope.GLOBAL, "primary", "1.2.3.4.5", "BADARGUMENT"),
    (Scope.GLOBAL, "primary", "256.1", "BADARGUMENT"),
    (Scope.GLOBAL, "primary", "10.16777216", "BADARGUMENT"),
    (Scope.GLOBAL, "primary", "10.0.0.1:80", "BADARGUMENT"),
    (Scope.GLOBAL, "primary", "a b", "BADARGUMENT"),
    (Scope.VIRTUAL, "vip_nmask", "/24", "BADNETMASK"),
    (Scope.VIRTUAL, "pmask", "rubbish", ""),
    (Scope.VIRTUAL, "sorry_server", "localhost", "BADHOSTNAME"),
    (Scope.VIRTUAL, "scheduler", "WLC", "BADARGUMENT"),
    (Scope.SERVER, "port", "http", "INTEXPECTED"),
]


@pytest.mark.parametrize(("scope", "keyword", "text", "code"), NOT_READ, ids=lambda each: str(each)[:30])
def test_a_text_that_is_no_value_says_what_to_do_and_how_the_daemons_called_it(
    scope: Scope, keyword: str, text: str, code: str
) -> None:
    fault = row(scope, keyword).read(text)
    assert isinstance(fault, ValueFault)
    assert fault.code == code
    assert fault.message
    assert fault.advice


TYPED = [
    (Scope.VIRTUAL, "port", "65535"),
    (Scope.VIRTUAL, "port", "https"),
    (Scope.VIRTUAL, "scheduler", "mh"),
    (Scope.VIRTUAL, "address", "2001:db8::1 eth0:1"),
    (Scope.VIRTUAL, "fwmark", "4294967295"),
    (Scope.GLOBAL, "syncd_iface", "bond0.7"),
    (Scope.VIRTUAL, "send", ""),
    (Scope.VIRTUAL, "send", " a "),
    (Scope.VIRTUAL, "send", r"a\"b c"),
    (Scope.VIRTUAL, "send", "{}"),
    (Scope.VIRTUAL, "expect", "grüß dich"),
    (Scope.VIRTUAL, "expect", "x" * 255),
    (Scope.VIRTUAL, "send_program", "/usr/local/bin/check %h 'a b'"),
    (Scope.GLOBAL, "active_cmd", "/usr/local/bin/up now"),
    (Scope.SERVER, "address", "web1.example.com"),
    (Scope.SERVER, "weight", "65535"),
]


@pytest.mark.parametrize(("scope", "keyword", "text"), TYPED, ids=lambda each: str(each)[:30])
def test_what_a_person_may_type(scope: Scope, keyword: str, text: str) -> None:
    assert not isinstance(row(scope, keyword).read_typed(text), ValueFault)


NOT_TYPED = [
    (Scope.VIRTUAL, "port", "0"),
    (Scope.VIRTUAL, "port", "70000"),
    (Scope.VIRTUAL, "port", "080"),
    (Scope.VIRTUAL, "port", ""),
    (Scope.VIRTUAL, "port", "80 "),
    (Scope.VIRTUAL, "port", "80\nsend_program = /x"),
    (Scope.VIRTUAL, "timeout", "0"),
    (Scope.VIRTUAL, "timeout", "1" * 300),
    (Scope.VIRTUAL, "timeout", "six"),
    (Scope.VIRTUAL, "fwmark", "-1"),
    (Scope.VIRTUAL, "fwmark", "4294967296"),
    (Scope.GLOBAL, "syncd_iface", "eth0 1"),
    (Scope.GLOBAL, "syncd_iface", "eth0:1"),
    (Scope.GLOBAL, "syncd_iface", "sixteen_letters_"),
    (Scope.GLOBAL, "rsh_command", ""),
    (Scope.VIRTUAL, "address", "192.0.2.1"),
    (Scope.VIRTUAL, "address", "192.0.2.1 eth0"),
    (Scope.VIRTUAL, "address", "192.0.2.1 eth0 1"),
    (Scope.VIRTUAL, "address", "192.0.2.1 averylongdevicename:1"),
    (Scope.VIRTUAL, "address", "www.example.com eth0:1"),
    (Scope.VIRTUAL, "vip_nmask", "255.0.255.0"),
    (Scope.VIRTUAL, "vip_nmask", "/24"),
    (Scope.VIRTUAL, "pmask", "rubbish"),
    (Scope.VIRTUAL, "send", 'say "hi"'),
    (Scope.VIRTUAL, "send", r"say \"hi\""),
    (Scope.VIRTUAL, "send", r"say \"hi\" now"),
    (Scope.VIRTUAL, "send", r"hi\""),
    (Scope.VIRTUAL, "send", 'h\\\\"i'),
    (Scope.VIRTUAL, "send", "a\nb"),
    (Scope.VIRTUAL, "send", "a\rb"),
    (Scope.VIRTUAL, "send", "a\tb"),
    (Scope.VIRTUAL, "send", "a\x00b"),
    (Scope.VIRTUAL, "send", "a\x85b"),
    (Scope.VIRTUAL, "send", "a\u2028b"),
    (Scope.VIRTUAL, "send", "a\u202eb"),
    (Scope.VIRTUAL, "send", "\udc80"),
    (Scope.VIRTUAL, "send", "x" * 256),
    (Scope.VIRTUAL, "send", "ü" * 128),
    (Scope.VIRTUAL, "send_program", r"/bin/x \"y"),
    (Scope.VIRTUAL, "load_monitor", "/bin/sh"),
    (Scope.VIRTUAL, "dirs", "/a /b"),
    (Scope.GLOBAL, "nat_router", "2001:db8::1 eth1:1"),
    (Scope.GLOBAL, "rsh_command", "/bin/sh"),
    (Scope.GLOBAL, "syncd_id", "256"),
    (Scope.GLOBAL, "backup_active", "yes"),
    (Scope.SERVER, "address", "10.1"),
    (Scope.SERVER, "address", "<b>10.0.0.1</b>"),
    (Scope.SERVER, "active", "2"),
    (Scope.SERVER, "weight", "65536"),
    (Scope.SERVER, "port", "http"),
]


@pytest.mark.parametrize(("scope", "keyword", "text"), NOT_TYPED, ids=lambda each: repr(each)[:30])
def test_what_a_person_may_not_type_is_refused_with_advice(scope: Scope, keyword: str, text: str) -> None:
    fault = row(scope, keyword).read_typed(text)
    assert isinstance(fault, ValueFault)
    assert fault.message
    assert fault.message.isprintable()
    assert fault.advice


def test_a_fault_of_a_two_word_value_says_which_word_it_is() -> None:
    address = row(Scope.VIRTUAL, "address")
    bad_host, bad_device = address.read_typed("x_y! eth0:1"), address.read_typed("192.0.2.1 eth0")
    assert isinstance(bad_host, ValueFault)
    assert isinstance(bad_device, ValueFault)
    assert (bad_host.word, bad_device.word) == (0, 1)


def test_a_spelling_that_stands_in_the_file_may_stay_there() -> None:
    keepalive = row(Scope.GLOBAL, "keepalive")
    assert isinstance(keepalive.read_typed("010"), ValueFault)
    assert keepalive.read_typed("010", present="010") == 8
    assert isinstance(keepalive.read_typed("rubbish", present="rubbish"), ValueFault)


@pytest.mark.parametrize("name", ["HTTP", "web-1.example.com", "[server_name]", "a/b", "158", "x" * 60, "größe"])
def test_a_name_is_one_word(name: str) -> None:
    assert block_name_fault(name) is None


@pytest.mark.parametrize(
    "name", ["", "a b", "a\tb", "a\nb", "a{", "}", 'a"b', "it's", "#1", "x" * 61, "a\u00a0b", "a\u200bb", "a\x00"]
)
def test_a_name_that_no_reader_takes_is_refused(name: str) -> None:
    fault = block_name_fault(name)
    assert fault is not None
    assert fault.message.isprintable()


@given(st.sampled_from(FIELDS), st.text(max_size=40))
def test_no_text_makes_reading_fail(each: Field, text: str) -> None:
    each.read(text)
    typed = each.read_typed(text)
    if not isinstance(typed, ValueFault):
        assert each.read(text) == typed


@given(st.sampled_from([each for each in FIELDS if each.type is FieldType.INT]), st.integers(-(2**70), 2**70))
def test_a_number_may_be_typed_exactly_if_it_is_in_range_and_no_reader_cuts_it(each: Field, number: int) -> None:
    low = each.low if each.low is not None else -(2**31)
    high = each.high if each.high is not None else 2**31 - 1
    is_typed = not isinstance(each.read_typed(str(number)), ValueFault)
    if each.is_cut:
        assert is_typed == (low <= number <= high)
    else:
        assert is_typed == (-(2**63) <= number < 2**63)


def test_the_statuses_say_what_is_done_with_a_keyword() -> None:
    assert row(Scope.GLOBAL, "ipvsadm").status is Status.IGNORED
    assert row(Scope.FAILOVER, "start_cmd").status is Status.IGNORED
    assert row(Scope.SERVER, "nmask").status is Status.GUI_ONLY
    assert row(Scope.GLOBAL, "mode").status is Status.DOCUMENTED_ONLY
    assert row(Scope.VIRTUAL, "send").status is Status.CURRENT
