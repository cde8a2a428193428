"""What `.htaccess` files mean: the examples of the manual (2.4), and what else such files hold.

The comparison with apache2 is in test_access_referee.py.
"""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.web.access_rules import AccessFileError, Cause, allows, parse
from piranha.web.client_address import group_of

OPEN_TO_ALL = "Order deny,allow\nAllow from all\n"
ONLY_LOCAL = "Order deny,allow\nDeny from all\nAllow from 127.0.0.1\n"
TWO_OFFICES = "Order deny,allow\nDeny from all\nAllow from 192.168.1.100\nAllow from 172.16.57\n"

TABLE = [
    # Checks 15 to 17 of the reference, which are the manual's three examples.
    (OPEN_TO_ALL, "192.0.2.1", True),
    (OPEN_TO_ALL, "2001:db8::1", True),
    (ONLY_LOCAL, "127.0.0.1", True),
    (ONLY_LOCAL, "::1", True),
    (ONLY_LOCAL, "::ffff:127.0.0.1", True),
    (ONLY_LOCAL, "127.0.0.2", False),
    (ONLY_LOCAL, "192.0.2.1", False),
    (TWO_OFFICES, "192.168.1.100", True),
    (TWO_OFFICES, "192.168.1.101", False),
    (TWO_OFFICES, "172.16.57.1", True),
    (TWO_OFFICES, "172.16.57.254", True),
    (TWO_OFFICES, "172.16.5.7", False),
    (TWO_OFFICES, "172.16.58.1", False),
    # Check 20, and who wins.
    ("Order allow,deny\n", "192.0.2.1", False),
    ("Order deny,allow\n", "192.0.2.1", True),
    ("", "192.0.2.1", True),
    ("Order allow,deny\nAllow from 10\nDeny from 10.1\n", "10.2.0.1", True),
    ("Order allow,deny\nAllow from 10\nDeny from 10.1\n", "10.1.0.1", False),
    ("Order deny,allow\nDeny from 10\nAllow from 10.1\n", "10.1.0.1", True),
    ("Order deny,allow\nDeny from 10\nAllow from 10.1\n", "10.2.0.1", False),
    ("Order deny,allow\nDeny from 10\nAllow from 10.1\n", "11.0.0.1", True),
    ("Order allow,deny\nAllow from all\nDeny from ::1\n", "127.0.0.1", False),
    # Networks in every spelling.
    ("Order allow,deny\nAllow from 192.0.2.64/26\n", "192.0.2.127", True),
    ("Order allow,deny\nAllow from 192.0.2.64/26\n", "192.0.2.128", False),
    ("Order allow,deny\nAllow from 192.0.2.70/26\n", "192.0.2.64", True),
    ("Order allow,deny\nAllow from 192.0.2.64/255.255.255.192\n", "192.0.2.65", True),
    ("Order allow,deny\nAllow from 192.0.2.64/255.255.255.192\n", "192.0.2.63", False),
    ("Order allow,deny\nAllow from 0.0.0.0/0.0.0.0\n", "192.0.2.63", True),
    ("Order allow,deny\nAllow from 172.16.57.\n", "172.16.57.3", True),
    ("Order allow,deny\nAllow from 2001:db8::/32\n", "2001:db8:1::1", True),
    ("Order allow,deny\nAllow from 2001:db8::/32\n", "2001:db9::1", False),
    ("Order allow,deny\nAllow from 2001:db8::/32\n", "192.0.2.1", False),
    ("Order allow,deny\nAllow from fe80::/10\n", "fe80::1", True),
    # Spelling: case, comments, blank lines, lists that add up, continued lines, line ends of other systems.
    ("ORDER Deny,Allow\ndeny FROM ALL\naLLow from 10.0.0.1\n", "10.0.0.1", True),
    ("# Allow from all\nOrder allow,deny\n\n   # more\n", "10.0.0.1", False),
    ("Order allow,deny\nAllow from 10.0.0.1 10.0.0.2\nAllow from 10.0.0.3\n", "10.0.0.2", True),
    ("Order allow,deny\nAllow from 10.0.0.1 10.0.0.2\nAllow from 10.0.0.3\n", "10.0.0.3", True),
    ("Order allow,deny\nAllow from 10.0.0.1 \\\n 10.0.0.2\n", "10.0.0.2", True),
    ("Order deny,allow\r\nDeny from all\r\nAllow from 10.0.0.1\r\n", "10.0.0.1", True),
    ("Order deny,allow\nOrder allow,deny\n", "10.0.0.1", False),
    ("Order mutual-failure\nAllow from 10\n", "10.0.0.1", True),
    ("Order allow,deny\nAllow fr\\\nom 10.0.0.1\n", "10.0.0.1", True),
    ("# a comment goes on \\\nAllow from all\nDeny from all\n", "10.0.0.1", False),
    ("Order allow,deny\nAllow from '10.0.0.1' \"10.0.0.2\"\n", "10.0.0.2", True),
    ("'Order' \"allow,deny\"\n", "10.0.0.1", False),
    ("Order allow,deny\nAllow from 10.0.0.1.\n", "10.0.0.1", True),
    ("Order allow,deny\nAllow from 0.0.0.0/0.0.0.0\n", "2001:db8::1", False),
    ("Satisfy all\nDeny from 10\n", "10.0.0.1", False),
    # Require: one that matches is enough, and Order, Allow, Deny must let in besides.
    ("Require all granted\n", "10.0.0.1", True),
    ("Require all denied\n", "127.0.0.1", False),
    ("Require ip 10 192.0.2.0/24\n", "192.0.2.9", True),
    ("Require ip 10 192.0.2.0/24\n", "192.0.3.9", False),
    ("Require ip 10\nRequire ip 2001:db8::/32\n", "2001:db8::1", True),
    ("Require all denied\nRequire ip 10\n", "10.0.0.1", True),
    ("Require ip 127.0.0.1\n", "::1", True),
    ("Require ip 10\nOrder allow,deny\nAllow from 10.1\n", "10.1.0.1", True),
    ("Require ip 10\nOrder allow,deny\nAllow from 10.1\n", "10.2.0.1", False),
    ("Require ip 11\nOrder allow,deny\nAllow from 10.1\n", "10.1.0.1", False),
    ("Order deny,allow\nDeny from all\nRequire all granted\n", "10.1.0.1", False),
]

NOT_UNDERSTOOD = [
    ("Order deny, allow\n", 1),
    ("Order sometimes\n", 1),
    ("Order\n", 1),
    ("Order deny,allow\nAllow 10.0.0.1\n", 2),
    ("Order deny,allow\nAllow from\n", 2),
    ("Allow from 10.0.0.256\n", 1),
    ("Allow from 10.0.0.1 # the boss\n", 1),
    ("Allow from 10.0.0.1/33\n", 1),
    ("Allow from 10.0.0.0/255.0.255.0\n", 1),
    ("Allow from 10.0.0.0/0.0.0.255\n", 1),
    ("Allow from 10..1\n", 1),
    ("Allow from 10.01.2\n", 1),
    ("Allow from .example.com\n", 1),
    ("Allow from router.example.com\n", 1),
    ("Allow from ::ffff:10.0.0.1\n", 1),
    ("Allow from env=let_me_in\n", 1),
    ("# fine\n\nAllow from all\nRequire valid-user\n", 4),
    ("<Limit GET>\nDeny from all\n</Limit>\n", 1),
    ("Allow from \\\n10.0.0.1 \\\nnobody\n", 1),
    ("Satisfy any\n", 1),
    ("Allow from 0.0.0.0/0\n", 1),
    ("Allow from ::/0\n", 1),
    ("Allow from fe80::1%eth0\n", 1),
    ("Allow from 10.0.0.1, 10.0.0.2\n", 1),
    ("Allow from '10.0.0.1\n", 1),
    ("Allow from 10.0.0.1\0 10.0.0.2\n", 1),
    ("\n# " + "x" * 9000 + "\n", 2),
    ("\ufefforder deny,allow\n", 1),
    ("Allow\u00a0from all\n", 1),
    ("Require\n", 1),
    ("Require ip\n", 1),
    ("Require ip all\n", 1),
    ("Require IP 10\n", 1),
    ("Require all\n", 1),
    ('Require all "granted"\n', 1),
    ("Require not ip 10\n", 1),
    ("Require local\n", 1),
    ("Require host router.example.com\n", 1),
    ("<RequireAny>\nRequire ip 10\n</RequireAny>\n", 1),
]


@pytest.mark.parametrize(("text", "address", "is_allowed"), TABLE)
def test_the_rules_let_in_whom_they_name(text: str, address: str, is_allowed: bool) -> None:
    assert allows(parse(text), ip_address(address)) is is_allowed


@pytest.mark.parametrize(("text", "line"), NOT_UNDERSTOOD)
def test_a_line_that_is_not_understood_is_named(text: str, line: int) -> None:
    with pytest.raises(AccessFileError) as raised:
        parse(text)
    assert raised.value.line == line


@given(st.text())
def test_any_text_gives_rules_or_one_error(text: str) -> None:
    try:
        allows(parse(text), ip_address("192.0.2.1"))
    except AccessFileError as problem:
        assert problem.line >= 1


@given(st.ip_addresses(v=4), st.integers(1, 3), st.ip_addresses(v=4))
def test_a_partial_address_matches_whole_octets_only(base: object, count: int, asked: object) -> None:
    partial = ".".join(str(base).split(".")[:count])
    rules = parse(f"Order allow,deny\nAllow from {partial}\n")
    loopback = {"127.0.0.1"} & {str(asked)}
    expected = str(asked).split(".")[:count] == partial.split(".")
    assert allows(rules, ip_address(str(asked))) is expected or loopback


@given(st.text(), st.sampled_from(["127.0.0.1", "::ffff:127.0.0.1"]))
def test_both_loopbacks_are_one_host(text: str, other: str) -> None:
    try:
        rules = parse(text)
    except AccessFileError:
        return
    assert allows(rules, ip_address("::1")) is allows(rules, ip_address(other))


@pytest.mark.parametrize("word", ["x" * 5000, "\x1b[2Jx", "a\u202eb", "\udc80"])
def test_what_is_told_of_a_file_is_short_and_drives_no_terminal(word: str) -> None:
    with pytest.raises(AccessFileError) as raised:
        parse(f"Allow from {word}\n")
    assert raised.value.cause is Cause.NAME
    assert raised.value.sentence.isprintable()
    assert len(raised.value.sentence) < 300


def test_an_ipv6_client_is_known_by_its_network_and_a_mapped_one_by_its_ipv4_address() -> None:
    assert group_of("2001:db8:0:1::5") == group_of("2001:db8:0:1:ffff::9") != group_of("2001:db8:0:2::5")
    assert group_of("::ffff:192.0.2.1") == group_of("192.0.2.1") == "192.0.2.1"
    assert group_of("::1") == group_of("127.0.0.1")
    assert group_of("fe80::1%eth0") == group_of("fe80::2")
    assert group_of(None) == ""
