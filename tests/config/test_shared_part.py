"""What both routers share of piranha.toml goes from one text into the other, and nothing else is touched."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.extensions import read
from piranha.config.failover_settings import FailoverSettings
from piranha.config.load import token_of
from piranha.config.shared_part import (
    NotSeparable,
    digest_of,
    pair_digest,
    settings_of,
    shared_text,
    shared_token,
    table_text,
    with_table,
)

HERE = b"""\
# router 1
[gui]
idle_minutes = 5

[failover]   # as agreed
keepalive = 0.5
# three times
deadtime = 1.5

# how the other one is reached
[sync]
host = "router2"
"""
TABLE = "[failover]   # as agreed\nkeepalive = 0.5\n# three times\ndeadtime = 1.5\n"
OTHER = b'[gui]\nidle_minutes = 7\n\n[failover]\nfailback = "never"\n\n# mine\n[sync]\nport = 2222\n'


def test_the_table_comes_with_its_comments_and_without_its_neighbours() -> None:
    assert shared_text(HERE) == TABLE
    assert table_text(HERE, "sync") == '[sync]\nhost = "router2"\n'
    assert shared_text(b"[gui]\n") == shared_text(b"") == ""


def test_it_takes_the_place_of_the_others_and_every_other_byte_stays() -> None:
    made = with_table(OTHER, "failover", TABLE)
    assert made == OTHER.replace(b'[failover]\nfailback = "never"\n', TABLE.encode())
    assert with_table(made, "failover", TABLE) == made
    assert read(made).failover == FailoverSettings(0.5, 1.5)


def test_a_table_that_was_not_there_comes_to_the_end_and_one_that_went_is_gone() -> None:
    assert with_table(b"[gui]\nidle_minutes = 7", "failover", TABLE) == b"[gui]\nidle_minutes = 7\n\n" + TABLE.encode()
    assert with_table(b"", "failover", TABLE) == TABLE.encode()
    assert with_table(b"# nothing yet\n", "failover", "[failover]") == b"# nothing yet\n\n[failover]\n"
    assert with_table(OTHER, "failover", "") == OTHER.replace(b'[failover]\nfailback = "never"\n', b"")
    assert with_table(b"", "failover", "") == b""


def test_a_header_inside_of_a_text_is_no_header() -> None:
    raw = b'[gui]\ntls_key = """\n[failover]\nkeepalive = 9\n"""\n[failover]\nkeepalive = 1\n'
    assert table_text(raw, "failover") == "[failover]\nkeepalive = 1\n"
    tricky = b"[failover]\nwords = '''\n[sync]\n# end\n'''\nkeepalive = 1\n[sync]\n"
    assert table_text(tricky, "failover").endswith("keepalive = 1\n")


@pytest.mark.parametrize(
    "text",
    [
        "failover.keepalive = 1",
        "failover = { keepalive = 1 }",
        '["failover"]\nkeepalive = 1',
        "[failover.more]\nx = 1",
        "[failover]\nkeepalive = 1\n[gui]\n[failover.more]\nx = 1",
    ],
)
def test_a_table_that_is_not_in_one_piece_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(NotSeparable, match=r"below one line \[failover\]"):
        shared_text(text.encode())
    with pytest.raises(NotSeparable, match=r"below one line \[failover\]"):
        with_table(text.encode(), "failover", TABLE)


@pytest.mark.parametrize("table", ["[gui]\nlisten = []\n", "[failover]\n[other]\nx = 1\n", "[sync", "x = 1\n"])
def test_what_is_not_that_table_alone_is_not_put_in(table: str) -> None:
    for raw in (b"", HERE, b"# nothing\n"):
        with pytest.raises(NotSeparable):
            with_table(raw, "failover", table)


@pytest.mark.parametrize("raw", [b"[failover", b"\xff", b"[failover]\nkeepalive = 0\n"])
def test_what_has_errors_is_not_handed_on(raw: bytes) -> None:
    with pytest.raises(NotSeparable, match=r"piranha.toml"):
        shared_text(raw)


@pytest.mark.parametrize(
    "text", ["[gui]\n", "[failover]\n[gui]\n", "[failover]\nkeepalive = 'x'\n", "nonsense", "x = 1"]
)
def test_what_comes_from_elsewhere_is_that_table_alone_or_it_is_refused(text: str) -> None:
    with pytest.raises(NotSeparable):
        settings_of(text)


def test_the_digest_is_of_the_meaning_and_of_every_byte_of_lvs_cf() -> None:
    told, other = settings_of(TABLE), settings_of("[failover]\ndeadtime = 1.50\nkeepalive = 5e-1\n")
    assert shared_token(told) == shared_token(other)
    assert settings_of("") == settings_of("[failover]\npartner = 'auto'\n") == FailoverSettings()
    digests = {
        pair_digest(b"serial_no = 1\n", told),
        pair_digest(b"serial_no = 2\n", told),
        pair_digest(b"serial_no = 1\n", FailoverSettings()),
        pair_digest(b"serial_no = 1\n", FailoverSettings(failback_after_s=31)),
    }
    assert {len(each) for each in digests} == {32}
    assert len(digests) == 4
    assert pair_digest(b"a", told) == digest_of(token_of(b"a"), shared_token(told))


LINES = st.sampled_from(
    [
        "[gui]",
        "[failover]",
        "[sync]",
        "[failover.x]",
        "keepalive = 1",
        "a = '''",
        "'''",
        "b = [",
        "]",
        "# c",
        "",
        '"x" = 1',
    ]
)


@given(st.lists(LINES, max_size=8), st.sampled_from(["", TABLE, "[failover]\na = '''\n[x]\n'''"]))
def test_whatever_the_file_says_the_rest_means_the_same_behind_it(lines: list[str], table: str) -> None:
    raw = "\n".join(lines).encode()
    try:
        made = with_table(raw, "failover", table)
    except NotSeparable as problem:
        assert str(problem)
        return
    before, after = tomllib.loads(raw.decode()), tomllib.loads(made.decode())
    wanted = tomllib.loads(table).get("failover")
    assert after.pop("failover", None) == wanted
    before.pop("failover", None)
    assert after == before
    assert with_table(made, "failover", table) == made
