"""A check with values that nobody saved is the check that a save of them would make."""

from collections.abc import Mapping

import pytest

from piranha.config.editing import apply_edits
from piranha.config.edits import SetValues
from piranha.config.load import load
from piranha.config.model import VirtualServer
from piranha.config.path import parse_block
from piranha.errors import EditRefused
from piranha.health.check import Check, Unchecked, check_of
from piranha.health.trial import CHECK_KEYWORDS, unsaved_server, with_server_values, with_values

LVS_CF = r"""virtual web {
     active = 1
     address = 192.0.2.80 eth0:1
     port = 8080
     send = "GET /ä HTTP/1.0\r\n\r\n"
     expect = "HTTP"
     timeout = 6
     server a {
         address = 10.0.0.1
         active = 1
     }
     server b {
         address = 10.0.0.2
         active = 0
         port = 81
     }
}
virtual bare {
     port = 80
     server c {
         address = 10.0.0.3
     }
}
"""
WEB, A = "virtual[web]", "virtual[web].server[a]"


def virtual(path: str = WEB, text: str = LVS_CF) -> VirtualServer:
    return next(each for each in load(text).cluster.virtual_servers if each.id == path)


def present(path: str):
    document = load(LVS_CF).document
    return lambda keyword: document.get(parse_block(path), keyword)


def checks(of: VirtualServer) -> list[Check | Unchecked]:
    return [check_of(of, each) for each in of.servers]


@pytest.mark.parametrize(
    "values",
    [
        {"send": r"quit\r\n", "expect": "220"},
        {"send": None},
        {"send": "", "expect": ""},
        {"send": None, "expect": None},
        {"expect": "^HTTP/1.[01] 2", "use_regex": "1"},
        {"use_regex": "1", "expect": "*"},
        {"send_program": "/usr/bin/check %h %p", "expect": "OK"},
        {"protocol": "udp"},
        {"protocol": "udp", "send": None},
        {"port": "8081"},
        {"port": None},
        {"timeout": "60"},
        {"timeout": None},
        {"expect": "größe"},
        {},
    ],
)
def test_it_is_the_check_that_a_save_would_make(values: Mapping[str, str | None]) -> None:
    saved = apply_edits(load(LVS_CF).document, [SetValues(path=WEB, values=dict(values))]).text
    assert checks(with_values(virtual(), values, present(WEB))) == checks(virtual(text=saved))


@pytest.mark.parametrize(
    "values", [{"address": "10.9.9.9"}, {"port": "82"}, {"port": None}, {"address": "web.example"}, {}]
)
def test_the_same_for_a_real_server(values: Mapping[str, str | None]) -> None:
    for place, path in enumerate((A, "virtual[web].server[b]")):
        saved = apply_edits(load(LVS_CF).document, [SetValues(path=path, values=dict(values))]).text
        made = with_server_values(virtual(), virtual().servers[place], values, present(path))
        assert check_of(virtual(), made) == checks(virtual(text=saved))[place]


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("send", r"\q"),
        ("send", "x" * 300),
        ("expect", "a\nb"),
        ("expect", 'say "hi'),
        ("use_regex", "perhaps"),
        ("protocol", "sctp"),
        ("port", "0"),
        ("port", "65536"),
        ("timeout", "0"),
        ("timeout", "-1"),
        ("address", "192.0.2.1 eth0"),
        ("weight", "1"),
        ("scheduler", "rr"),
    ],
)
def test_a_value_that_could_not_be_saved_is_refused_by_keyword(keyword: str, text: str) -> None:
    with pytest.raises(EditRefused) as refused:
        with_values(virtual(), {keyword: text}, present(WEB))
    assert (refused.value.path, refused.value.keyword) == (WEB, keyword)


@pytest.mark.parametrize(("keyword", "text"), [("address", "10.0.0.1:80"), ("port", "http"), ("weight", "1")])
def test_the_same_for_what_a_real_server_says(keyword: str, text: str) -> None:
    with pytest.raises(EditRefused) as refused:
        with_server_values(virtual(), virtual().servers[0], {keyword: text}, present(A))
    assert refused.value.keyword == keyword


def test_a_real_server_that_is_nowhere_yet_and_a_virtual_server_without_an_address_can_be_tried() -> None:
    bare = with_values(virtual("virtual[bare]"), {}, present("virtual[bare]"))
    made = with_server_values(bare, unsaved_server(bare), {"address": "10.0.0.9", "port": None}, lambda keyword: None)
    check = check_of(bare, made)
    assert isinstance(check, Check)
    assert (str(check.address), check.port, check.send) == ("10.0.0.9", 80, b"GET / HTTP/1.0\r\n\r\n")
    assert check_of(bare, unsaved_server(bare)) == Unchecked("The real server has no address.")


def test_no_keyword_of_a_check_is_forgotten() -> None:
    for keyword in CHECK_KEYWORDS:
        with_values(virtual(), {keyword: None}, present(WEB))
