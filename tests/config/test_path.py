"""Written paths: there and back for any name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.path import Step, parse, parse_block, written

STEPS = st.builds(
    Step,
    st.sampled_from(["virtual", "failover", "server"]),
    st.text(max_size=20),
    st.integers(1, 99),
)


@given(st.lists(STEPS, max_size=3), st.sampled_from(["", "weight", "tcp_timeout"]))
def test_a_path_comes_back_from_its_written_form(steps: list[Step], keyword: str) -> None:
    assert parse(written(tuple(steps), keyword)) == (tuple(steps), keyword)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        ((Step("virtual", "http"),), "virtual[http]"),
        ((Step("virtual", "http", 2), Step("server", "web1")), "virtual[http#2].server[web1]"),
        ((Step("virtual", "a b"),), 'virtual["a b"]'),
        ((Step("virtual", "[server_name]"),), 'virtual["[server_name]"]'),
        ((Step("virtual", 'q"\\'),), 'virtual["q\\"\\\\"]'),
        ((Step("virtual", ""),), 'virtual[""]'),
    ],
)
def test_plain_names_are_bare_and_others_are_quoted(path: tuple[Step, ...], text: str) -> None:
    assert written(path) == text
    assert parse_block(text) == path


@pytest.mark.parametrize(
    "text", ["virtual[", "virtual[a b]", "virtual[a]server[b]", "virtual[a].", "virtual[a#0]", "[a]"]
)
def test_what_is_no_path_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        parse(text)


def test_a_keyword_is_no_block() -> None:
    with pytest.raises(ValueError, match="names the keyword"):
        parse_block("virtual[a].port")
