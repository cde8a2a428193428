"""`.htaccess` files mean to us what they mean to Debian's apache2, one file at a time; where not, we are stricter."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.paths import Paths
from piranha.web.access import refusal
from piranha.web.access_rules import AccessFileError, Cause, Rules, allows, parse
from piranha.web.client_address import address_of
from tests.web.access_files import ODD_LINES, Made, Writer
from tests.web.apache import Apache

pytestmark = pytest.mark.debian

FILES = 1000
CLIENTS = 14
SEED = 3636

STRICTER = {
    Cause.NAME: "names are whatever the owner of an address calls it (reference 8, fault 23)",
    Cause.ENVIRONMENT: "a condition on what the client says of itself",
    Cause.MASK: "a mask with holes matches hosts in every network, which nobody means",
    Cause.NUMBER: "010 is 10 to Apache and 8 to others",
    Cause.PROVIDER: "we have no users, methods, expressions; `local` would depend on the address that was asked",
    Cause.SECTION: "<Limit GET> left the other methods open (CVE-2013-6492); other sections depend on modules",
    Cause.SATISFY: "address and password are both needed, always",
    Cause.DIRECTIVE: "directives of modules that we are not",
    Cause.QUOTE: "a quote that is not closed is a slip",
    Cause.NUL: "what Apache does not read behind it, a person does",
}
"""What we refuse although Apache may answer 200, and why. Nothing is let in that Apache refuses."""


@pytest.fixture(scope="module")
def apache() -> Iterator[Apache]:
    """Give the referee."""
    with Apache() as running:
        yield running


def ours(made: Made) -> tuple[list[bool], Rules | AccessFileError]:
    """Return whom we let in, and the rules or what is wrong with them."""
    try:
        rules = parse(made.text.decode("utf-8", "surrogateescape"))
    except AccessFileError as problem:
        return [False] * len(made.clients), problem
    let_in = []
    for client in made.clients:
        address = address_of(client)
        assert address is not None
        let_in.append(allows(rules, address))
    return let_in, rules


def test_hundreds_of_files_let_in_whom_apache_answers_200(apache: Apache) -> None:
    """Checks 15 to 17, 20 and 21 in general."""
    writer = Writer(random.Random(SEED))
    seen: Counter[str] = Counter()
    needed: set[Cause] = set()
    for made in [writer.file(CLIENTS) for _ in range(FILES)]:
        statuses = apache.judge(made.text, made.clients)
        assert set(statuses) <= {200, 403, 500}
        let_in, meant = ours(made)
        told = [(client, status, mine) for client, status, mine in zip(made.clients, statuses, let_in, strict=True)]
        if isinstance(meant, Rules):
            seen["files understood by both"] += 1
            # ::1 and 127.0.0.1 are one host to us, not to Apache: compared where the rules treat them alike.
            compared = told if loopbacks_are_alike(meant) else told[:-1]
            wrong = [each for each in compared if (each[1] == 200) is not each[2]]
            assert not wrong, (made.text, wrong)
            assert 500 not in statuses, made.text
            seen["let in"] += let_in.count(True)
            seen["refused"] += let_in.count(False)
            seen["files with both"] += len(set(let_in)) == 2
        elif set(statuses) == {500}:
            seen["files understood by neither"] += 1
        else:
            assert meant.cause in STRICTER, (made.text, meant, told)
            needed |= {meant.cause} if 200 in statuses else set()
            seen["files that only Apache understands"] += 1
    assert seen["let in"] > 1500, seen
    assert seen["refused"] > 1500, seen
    assert seen["files with both"] > 100, seen
    assert seen["files understood by neither"] > 100, seen
    assert needed == set(STRICTER), "an exception that is not needed is none"


def loopbacks_are_alike(rules: Rules) -> bool:
    """Say whether every network of the rules holds both loopbacks or neither."""
    one, other = address_of("127.0.0.1"), address_of("::1")
    assert one is not None
    assert other is not None
    networks = (*rules.allow, *rules.deny, *(rules.required or ()))
    return all(network.holds(one) == network.holds(other) for network in networks)


@pytest.mark.parametrize("odd", ODD_LINES)
@pytest.mark.parametrize("order", ["Order deny,allow\n", "Order allow,deny\nAllow from all\n"])
def test_an_odd_line_is_never_understood_by_us_alone(apache: Apache, odd: str, order: str) -> None:
    """Check 21: whoever cannot be refused by the rules because of such a line is refused all the same."""
    text = order + odd.format(network="192.0.2.0/24", blanks=" " * 8200) + "\n"
    made = Made(text.encode(), ["192.0.2.1", "198.51.100.1", "2001:db8::1"])
    statuses = apache.judge(made.text, made.clients)
    let_in, meant = ours(made)
    if isinstance(meant, Rules) or meant.cause not in STRICTER:
        assert [status == 200 for status in statuses] == let_in
    assert not [1 for status, mine in zip(statuses, let_in, strict=True) if mine and status != 200]


@pytest.mark.parametrize("kind", ["a folder", "a link to itself", "a device", "a link to rules", "nothing"])
def test_what_is_no_plain_file_refuses_as_with_apache(apache: Apache, tmp_path: Path, kind: str) -> None:
    """Check 21: what cannot be read refuses everybody."""
    paths = Paths(tmp_path)
    paths.web.mkdir(parents=True)
    theirs = apache.new_folder()
    for folder in (theirs, paths.web):
        match kind:
            case "a folder":
                (folder / ".htaccess").mkdir()
            case "a link to itself":
                (folder / ".htaccess").symlink_to(".htaccess")
            case "a device":
                (folder / ".htaccess").symlink_to("/dev/null")
            case "a link to rules":
                (folder / "rules").write_text("Deny from 192.0.2.1\n")
                (folder / ".htaccess").symlink_to("rules")
    clients = ["192.0.2.1", "192.0.2.2"]
    assert [refusal(paths, client, is_secure=False) is None for client in clients] == [
        status == 200 for status in apache.statuses(theirs, clients)
    ]
