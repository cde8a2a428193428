"""A path that names nothing is told with what may have been meant."""

import pytest

from piranha.config.document import Document
from piranha.config.fields import ALIASES, ORDER, Scope, field
from piranha.config.nearest import absent_block, told, unknown_keyword
from piranha.config.path import parse_block

TEXT = """\
virtual http {
     server web1 {
     }
     server web2 {
     }
}
virtual https {
     server db {
     }
}
virtual Mail {
}
virtual twice {
}
virtual twice {
}
"""


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("virtual[htp]", "Did you mean virtual[http] or virtual[https]?"),
        ("virtual[mail]", "Did you mean virtual[Mail]?"),
        ("virtual[htp].server[web1]", "Did you mean virtual[http].server[web1] or virtual[https]?"),
        ("virtual[http].server[web3]", "Did you mean virtual[http].server[web2] or virtual[http].server[web1]?"),
        ("virtual[http].server[db]", "Did you mean virtual[https].server[db]?"),
        ("server[web1]", "Did you mean virtual[http].server[web1]?"),
        ("vritual[http]", "Did you mean virtual[http]?"),
        ("virtual[twice#3]", "Did you mean virtual[twice] or virtual[twice#2]?"),
        ("virtual[http#2].server[web1]", "Did you mean virtual[http].server[web1]?"),
    ],
)
def test_the_nearest_blocks_are_advised(path: str, meant: str) -> None:
    assert absent_block(Document(TEXT), parse_block(path)).endswith(f"is not in the file. {meant}")


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("virtual[zzzzzz]", "There is virtual[http], virtual[https], virtual[Mail], virtual[twice], virtual[twice#2]."),
        ("failover[x]", "There is no failover block."),
        ("virtual[Mail].server[x]", "There is no server block in virtual[Mail]."),
        ("cluster[qqqq]", "What can stand at the top of the file: virtual, failover."),
        ("virtual[http].virtual[q]", "What can stand in virtual[http]: server."),
        ("virtual[http].server[web1].server[q]", "What can stand in virtual[http].server[web1]: no block."),
    ],
)
def test_where_nothing_is_near_what_there_is_is_said(path: str, there: str) -> None:
    assert absent_block(Document(TEXT), parse_block(path)).endswith(there)


def test_of_many_blocks_a_few_are_listed() -> None:
    many = Document("".join(f"virtual v{n} {{\n}}\n" for n in range(1000)))
    assert absent_block(many, parse_block("virtual[qqqqq]")).endswith("virtual[v7] and 992 more.")


def test_a_name_of_any_length_and_any_letters_stays_on_one_line() -> None:
    path = parse_block('virtual["a\x1b[31m\nb"]')
    assert absent_block(Document(TEXT), path).isprintable()
    assert len(told(parse_block(f"virtual[{'x' * 5000}]"))) < 100


@pytest.mark.parametrize(
    ("scope", "keyword", "advice"),
    [
        (Scope.SERVER, "wieght", "wieght is no keyword of a server block. Did you mean weight?"),
        (Scope.VIRTUAL, "weight", "weight is no keyword of a virtual block. It stands in a server block."),
        (Scope.GLOBAL, "heatbeart", "Write heartbeat."),
        (Scope.GLOBAL, "mode", "The original Piranha refuses the whole file for it, so it is not written."),
        (Scope.GLOBAL, "qqqqqqqq", "qqqqqqqq is no keyword of the global scope."),
    ],
)
def test_an_unknown_keyword_is_told_with_where_it_stands_or_what_is_near(scope, keyword, advice) -> None:
    assert unknown_keyword(scope, keyword).endswith(advice)


def test_a_keyword_that_can_be_written_is_not_unknown() -> None:
    for scope in Scope:
        for keyword in ORDER[scope]:
            row = field(scope, keyword)
            assert row is not None
            assert bool(unknown_keyword(scope, keyword)) == row.status.is_refused
    assert all(unknown_keyword(*alias) for alias in ALIASES)
