"""What changed between two texts, in sentences for a person."""

import re

import pytest

from piranha.config.changes import TOLD_MAX, Changes, changes_between
from piranha.config.document import Document

TEXT = """# the site's balancer
serial_no = 7
keepalive = 6
virtual web {
     port = 80
     server web1 {
         address = 10.0.0.1
         weight = 1
     }
     server web2 {
         address = 10.0.0.2
         weight = 1
     }
}
virtual mail {
     port = 25
}
"""
WEB2 = TEXT[TEXT.index("     server web2") : TEXT.index("}\nvirtual mail")]


def told(after: str, before: str = TEXT) -> tuple[str, ...]:
    return changes_between(Document(before), Document(after)).told


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        ("weight = 1", "weight = 5", ["virtual[web].server[web1].weight: 1 -> 5"]),
        ("keepalive = 6", "keepalive = 9", ["keepalive: 6 -> 9"]),
        ("keepalive = 6\n", "", ["keepalive: 6 -> not set"]),
        ("port = 25\n", 'port = 25\n     expect = ""\n', ['virtual[mail].expect: not set -> ""']),
        ("serial_no = 7", "serial_no = 8", ["serial_no only"]),
        ("# the site's balancer\n", "", ["comments or layout only"]),
        ("keepalive = 6", "keepalive   =   6", ["comments or layout only"]),
        ("keepalive = 6", "keepalive = 5\nkeepalive = 6", ["comments or layout only"]),
        ("server web1 {", "server app1 {", ["virtual[web].server[web1]: renamed to virtual[web].server[app1]"]),
        ("virtual mail {", "virtual smtp {", ["virtual[mail]: renamed to virtual[smtp]"]),
        (WEB2, "", ["virtual[web].server[web2]: removed"]),
        (WEB2, WEB2 + WEB2.replace("web2", "web3").replace("0.2", "0.3"), ["virtual[web].server[web3]: added"]),
        ("virtual mail {\n     port = 25\n}\n", "", ["virtual[mail]: removed"]),
        ("keepalive = 6", "keepalive = 6\nno such line", ["lines that cannot be understood: 0 -> 1"]),
    ],
)
def test_a_change_is_one_sentence(old, new, sentences):
    assert list(told(TEXT.replace(old, new, 1))) == sentences


def test_the_same_text_is_no_change():
    assert changes_between(Document(TEXT), Document(TEXT)) == Changes(())


def test_a_serial_number_that_goes_with_another_change_is_not_mentioned():
    assert told(TEXT.replace("= 7", "= 8").replace("keepalive = 6", "keepalive = 9")) == ("keepalive: 6 -> 9",)


def test_a_server_in_another_virtual_server_was_moved():
    moved = TEXT.replace(WEB2, "").replace("port = 25\n", f"port = 25\n{WEB2}")
    assert told(moved) == ("virtual[web].server[web2]: moved to virtual[mail]",)


def test_another_order_is_a_change():
    first, second = TEXT.split("     server web1")[0], TEXT[TEXT.index("     server web1") : TEXT.index(WEB2)]
    swapped = first + WEB2 + second + TEXT[TEXT.index("}\nvirtual mail") :]
    assert told(swapped) == ("virtual[web]: its real servers stand in another order",)
    mail = TEXT[TEXT.index("virtual mail") :]
    assert told(TEXT.replace(mail, "").replace("virtual web", f"{mail}virtual web")) == (
        "the virtual servers stand in another order",
    )


def test_a_renamed_block_that_was_changed_too_is_a_new_one():
    after = TEXT.replace("virtual mail {\n     port = 25", "virtual smtp {\n     port = 26")
    assert told(after) == ("virtual[smtp]: added", "virtual[mail]: removed")


def test_of_equal_blocks_each_is_renamed_once():
    before = "virtual a {\n port = 1\n}\nvirtual b {\n port = 1\n}\n"
    after = "virtual c {\n port = 1\n}\nvirtual d {\n port = 1\n}\nvirtual e {\n port = 1\n}\n"
    assert told(after, before) == (
        "virtual[a]: renamed to virtual[c]",
        "virtual[b]: renamed to virtual[d]",
        "virtual[e]: added",
    )


def test_windows_line_ends_are_layout():
    assert told(TEXT.replace("\n", "\r\n")) == ("comments or layout only",)


def test_more_than_can_be_told_is_counted():
    lines = "".join(f"     server n{number} {{\n     }}\n" for number in range(200))
    found = changes_between(Document(TEXT), Document(TEXT.replace("port = 25\n", f"port = 25\n{lines}")))
    assert (len(found.told), found.more) == (TOLD_MAX, 150)
    led = found.led_by("the text of version 3 again")
    assert led.told[0] == "the text of version 3 again" and (len(led.told), led.more) == (TOLD_MAX, 151)


def test_every_sentence_is_short_and_printable_whatever_the_file_holds():
    hostile = "x" * 5000 + "\x1b[31m\u202e"
    after = TEXT + f'virtual "{hostile}" {{\n port = 1\n}}\nactive_cmd = "{hostile}"\n{hostile} = 3\n'
    for sentence in told(after):
        assert sentence.isprintable() and len(sentence) < 400, sentence[:80]


def test_two_long_values_that_begin_alike_are_told_apart():
    old, new = (f'active_cmd = "{"x" * 90}{end}"\n' for end in "ab")
    (sentence,) = told(new, old)
    before, _, after = sentence.partition(" -> ")
    assert re.search(r"x\.\.\. \(91 characters, [0-9a-f]{6}\)$", before) and not before.endswith(after)


def test_all_of_a_file_goes_and_comes():
    assert told("") == ("keepalive: 6 -> not set", "virtual[web]: removed", "virtual[mail]: removed")
    assert told(TEXT, "") == ("keepalive: not set -> 6", "virtual[web]: added", "virtual[mail]: added")
