"""The canonical form: the bytes of the reference, what it does to odd spellings, what it loses and what it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from piranha.config.canonical import canonical_text, text_of_cluster
from piranha.config.editing import apply_edits
from piranha.config.edits import MakeCanonical, SetValues
from piranha.config.load import decode, encoding_of, load, strict
from piranha.config.model import Cluster, RealServer
from piranha.errors import EditRefused

TOP = "serial_no = 1\nnetwork = nat\n"
CORPUS = sorted((Path(__file__).parent.parent / "data/corpus").glob("*.cf"))
EXAMPLE = Path(__file__).parent.parent / "data/canonical.cf"


def canonical(text: str) -> str:
    """Return the canonical form of a text."""
    return canonical_text(load(text).document).text


def body(lines: str) -> str:
    """Return the canonical lines of a virtual server's block."""
    text = canonical(f"virtual v {{\n{lines}\n}}\n")
    assert text.startswith(f"{TOP}virtual v {{\n") and text.endswith("}\n")
    return text.removeprefix(f"{TOP}virtual v {{\n").removesuffix("}\n")


def test_the_example_of_the_reference_is_its_own_canonical_form() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert canonical_text(load(text).document).text == text
    assert canonical_text(load(text).document).lost == ()
    assert load(text_of_cluster(load(text).cluster)).cluster == load(text).cluster


def test_the_example_comes_back_from_a_badly_written_copy() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    head, _, rest = text.partition("failover ")
    failover, _, virtuals = rest.partition("}\n")
    lines = [f"\t{line}  " if '"' not in line else f"\t{line}" for line in head.splitlines()]
    shuffled = "\r\n".join([*reversed(lines), *virtuals.splitlines(), *f"failover {failover}}}".splitlines()])
    assert canonical(shuffled) == text


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_the_canonical_form_of_a_file_of_the_field_means_the_same_and_is_fixed(file: Path) -> None:
    loaded = load(decode(file.read_bytes()))
    form = canonical_text(loaded.document)
    again = strict(form.text)
    assert again.cluster.virtual_servers == loaded.cluster.virtual_servers
    assert canonical_text(again.document).text == form.text
    assert canonical_text(again.document).lost == ()
    assert load(text_of_cluster(loaded.cluster)).cluster == loaded.cluster


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("keepalive = 010", "keepalive = 8"),
        ("keepalive = 0x1f", "keepalive = 31"),
        ('keepalive = "6"', "keepalive = 6"),
        ('udp_timeout = ""', "udp_timeout = 0"),
        ("keepalive=6", "keepalive = 6"),
        ("keepalive 6", "keepalive = 6"),
        ("monitor_links = 5", "monitor_links = 1"),
        ("heartbeat_port = http", "heartbeat_port = http"),
        ("primary = 10.1", "primary = 10.0.0.1"),
        ("backup = 0.0.0.0", "backup = 0.0.0.0"),
        ("debug = ALL", "debug_level = ALL"),
        ("heatbeart = 1", "heartbeat = 1"),
        ("active_cmd = '/a b'", 'active_cmd = "/a b"'),
        ('active_cmd = ""', 'active_cmd = ""'),
        ("nat_router = 10.1\teth1:1", "nat_router = 10.0.0.1 eth1:1"),
        ("backup = 2001:DB8::1", "backup = 2001:db8::1"),
        ("nat_nmask = 0.0.0.0", None),
        ("network = direct", "network = direct"),
    ],
)
def test_only_plain_spellings_are_written(before: str, after: str | None) -> None:
    lines = canonical(before + "\n").splitlines()
    expected = {"serial_no = 1", *(() if before.startswith("network") else ("network = nat",))}
    assert set(lines) == expected | ({after} if after else set())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("send = 'ab'", '     send = "ab"\n'),
        ('send = "ab"  ', '     send = "ab"\n'),
        ("send = ab", '     send = "ab"\n'),
        ('send = ""', '     send = ""\n'),
        (r'send = "a\"b"', '     send = "a\\"b"\n'),
        (r'send = "a\d"', '     send = "a\\\\d"\n'),
        (r'send = "a\\n"', '     send = "a\\\\n"\n'),
        ("scheduler = pcc", "     scheduler = lc\n"),
        ("scheduler = mh", "     scheduler = mh\n"),
        ("pmask = 255.255.255.255", "     pmask = 255.255.255.255\n"),
        ("vip_nmask = 0.0.0.0", ""),
        ("master = 10.0.0.1\nclient_monitor = /x", "     client_monitor = /x\n     master = 10.0.0.1\n"),
        ("dirs = [ /a '/b c' ] rest", '     dirs = [ /a "/b c" ]\n'),
        ("server s {\nactive = 2\n}\nactive = 1", "     active = 1\n     server s {\n         active = 0\n     }\n"),
    ],
)
def test_the_words_of_a_block_are_written_plainly_and_in_order(before: str, after: str) -> None:
    assert body(before) == after


def test_port_comes_first_and_a_server_that_had_another_one_says_so() -> None:
    assert body("server a {\n}\nport = 21\nserver b {\n}") == (
        "     port = 21\n     server a {\n         port = 80\n     }\n     server b {\n     }\n"
    )


def test_failover_blocks_come_first_and_a_name_in_quotes_stays_one() -> None:
    assert canonical('virtual "a b" {\n}\nfailover f {\nserver s {\n}\n}\nvirtual "a b" {\n') == (
        f'{TOP}failover f {{\n     server s {{\n     }}\n}}\nvirtual "a b" {{\n}}\nvirtual "a b" {{\n}}\n'
    )


def test_what_goes_is_told_line_by_line() -> None:
    text = (
        "# top\nkeepalive = 5\nkeepalive = 6 # slow\nvirtual v { # here\n  nmask = 1\n  expect_program = x\n"
        "  # inner\n} and more\n}\n"
    )
    form = canonical_text(load(text).document)
    assert form.text == "serial_no = 1\nkeepalive = 6\nnetwork = nat\nvirtual v {\n}\n"
    assert [line.partition(":")[0] for line in form.lost] == [f"line {number}" for number in (1, 2, 3, 4, 5, 6, 7, 8)]
    assert "keepalive = 5" in form.lost[1]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("keepalive = 5s\n", "line 1"),
        ("keepalive =\n", "line 1"),
        ("\nwhat is this\n", "line 2"),
        ("virtual v {\nsend = one two\n}\n", "line 2"),
        ('virtual v {\nsend = "say \\"hi\\" now"\n}\n', "line 2"),
        ('virtual v {\nsend = "a" b"\n}\n', "line 2"),
        ('virtual v {\nsend = "ab\n}\n', "line 2"),
        ("virtual v {\naddress = 192.0.2.1\n}\n", "line 2"),
        ("virtual v { active = 1\n}\n", "line 1"),
        ("virtual a {\nvirtual b {\n}\n", "line 1"),
        ("server s {\n}\n", "line 1"),
        ("virtual v {\n} virtual w {\n}\n", "line 2"),
        ("virtual v {\nfwmark = 1\nserver s {\n}\nport = 21\n}\n", "line 5"),
        ("keepalive = 6\0\n", "NUL"),
        ("nat_router = 10.0.0.1 'eth0 1'\n", "line 1"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(text: str, place: str) -> None:
    document = load(text).document
    with pytest.raises(EditRefused, match=place):
        apply_edits(document, [MakeCanonical()])


def test_making_it_canonical_is_an_edit_that_counts_once() -> None:
    edits = [MakeCanonical()]
    document = load("# c\nserial_no = 27\nkeepalive = 06\n").document
    assert apply_edits(document, edits, counts_up=True).text == "serial_no = 28\nkeepalive = 6\nnetwork = nat\n"
    assert apply_edits(load("").document, edits, counts_up=True).text == TOP
    same = load("serial_no = 27\nnetwork = nat\n").document
    assert apply_edits(same, edits, counts_up=True) is same
    both = [SetValues(path="", values={"keepalive": "7"}), *edits]
    assert "keepalive = 7\n" in apply_edits(document, both, counts_up=True).text


def test_a_model_that_no_file_can_mean_is_refused() -> None:
    empty = load("virtual v {\n}\n").cluster.virtual_servers[0]
    stray = RealServer("virtual[v].server[s]", "s", None, False, 21, False, 1)
    for virtual in (
        replace(empty, servers=(stray,)),
        replace(empty, name="a'b c\"d", id="x"),
        replace(empty, send='a" b'),
    ):
        with pytest.raises(EditRefused):
            text_of_cluster(Cluster(virtual_servers=(virtual,)))


def test_what_stands_behind_a_brace_or_a_list_and_what_means_none_is_told_too() -> None:
    text = "virtual v {\n dirs = [ /a ] and more\n vip_nmask = 0.0.0.0\n} # ask Ines\n"
    form = canonical_text(load(text).document)
    assert form.lost == (
        "line 2: and more (behind the list)",
        "line 3: vip_nmask = 0.0.0.0 (which means none)",
        "line 4: # ask Ines",
    )


def test_the_bytes_of_an_old_file_stay_those_that_are_sent() -> None:
    raw = b'virtual v {\n send = "gr\xfc\xdf"\n}\n'
    loaded = load(decode(raw), encoding_of(raw))
    assert loaded.cluster.virtual_servers[0].encoding == "latin-1"
    assert (
        load(canonical_text(loaded.document).text, "latin-1").cluster.virtual_servers == loaded.cluster.virtual_servers
    )
    assert apply_edits(loaded.document, [SetValues(path="", values={"keepalive": "7"})]).encoding == "latin-1"
