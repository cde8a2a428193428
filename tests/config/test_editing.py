"""Edits in place: text, edit, text. And the edits that are refused."""

import pytest

from piranha.config.editing import apply_edits, with_next_serial
from piranha.config.edits import AddBlock, Edit, RemoveBlock, RenameBlock, SetValues
from piranha.config.load import load, strict
from piranha.errors import EditRefused


def edited(text: str, *edits: Edit) -> str:
    """Return a text after edits."""
    return apply_edits(load(text).document, edits).text


def put(path: str, **values: str | None) -> SetValues:
    return SetValues(path=path, values=values)


HTTP = """\
primary = 192.0.2.1
virtual http {
     active = 1
     address = 192.0.2.9 eth0:1
     server web1 {
         address = 10.0.0.1
         active = 1
     }
}
"""

WEB1 = "virtual[http].server[web1]"
V_B = "virtual[v].server[b]"

# One line changes: what it was, the edit, what it becomes.
SPELLINGS = [
    ("keepalive = 6", {"keepalive": "7"}, "keepalive = 7"),
    ("\tkeepalive\t=\t6 ", {"keepalive": "7"}, "\tkeepalive\t=\t7"),
    ("keepalive    =  6", {"keepalive": "7"}, "keepalive    =  7"),
    ("keepalive = 010", {"keepalive": "8"}, "keepalive = 8"),
    ('keepalive = "6"', {"keepalive": "7"}, "keepalive = 7"),
    ("keepalive=6", {"keepalive": "7"}, "keepalive = 7"),
    ("keepalive= 6", {"keepalive": "7"}, "keepalive = 7"),
    ("keepalive 6", {"keepalive": "7"}, "keepalive = 7"),
    ("keepalive =", {"keepalive": "7"}, "keepalive = 7"),
    ("keepalive", {"keepalive": "7"}, "keepalive = 7"),
    ("keepalive = 6 # slow", {"keepalive": "7"}, "keepalive = 7 # slow"),
    ("keepalive = 6 7", {"keepalive": "7"}, "keepalive = 7"),
    ('keepalive = "6', {"keepalive": "7"}, "keepalive = 7"),
    ("debug = NONE", {"debug_level": "ALL"}, "debug_level = ALL"),
    ("monitor_links = 5", {"monitor_links": "1"}, "monitor_links = 1"),
    ("active_cmd = /x", {"active_cmd": "/x y"}, 'active_cmd = "/x y"'),
    ("active_cmd = '/x y'", {"active_cmd": "/z"}, "active_cmd = /z"),
    ("nat_router = 10.0.0.1   eth0:1", {"nat_router": "10.0.0.2 eth0:1"}, "nat_router = 10.0.0.2 eth0:1"),
    ("nat_router = 10.0.0.1", {"nat_router": "10.0.0.1 eth0:1"}, "nat_router = 10.0.0.1 eth0:1"),
]


@pytest.mark.parametrize(("before", "values", "after"), SPELLINGS, ids=[each[0] for each in SPELLINGS])
@pytest.mark.parametrize("end", ["\n", ""], ids=["", "without line end"])
def test_one_changed_value_is_one_changed_line(before: str, values: dict[str, str], after: str, end: str) -> None:
    frame = "# above\nprimary = 192.0.2.1\n{}"
    text = frame.format(before + end)
    assert edited(text, SetValues(path="", values=dict(values))) == frame.format(after + end)
    strict_text = edited(text, SetValues(path="", values=dict(values)))
    if "#" not in after:
        strict(strict_text)


TEXTS = [
    ("send = 'ab'", "cd", 'send = "cd"'),
    ('send = "ab" ', "cd", 'send = "cd"'),
    ("send = ab", "a b", 'send = "a b"'),
    ('send = "say "hi" now"', "hi", 'send = "hi"'),
    ('send = "a b"', "", 'send = ""'),
    ('send = "ab', r"a\"b c", r'send = "a\"b c"'),
]


@pytest.mark.parametrize(("before", "value", "after"), TEXTS, ids=[each[0] for each in TEXTS])
def test_a_text_is_written_in_double_quotes(before: str, value: str, after: str) -> None:
    frame = "virtual v {{\n  {}\n}}\n"
    written = edited(frame.format(before), put("virtual[v]", send=value))
    assert written == frame.format(after)
    assert strict(written).cluster.virtual_servers[0].send == value


def test_a_value_that_is_there_already_changes_nothing() -> None:
    document = load("keepalive = 010\r\nnat_router = 10.0.0.1   eth0:1\r\n").document
    same = apply_edits(document, [put("", keepalive="010", nat_router="10.0.0.1 eth0:1", deadtime=None)])
    assert same is document


def test_a_line_that_cannot_be_understood_is_no_excuse_to_write_its_text_again() -> None:
    with pytest.raises(EditRefused, match="one word"):
        edited("keepalive = 6 7\n", put("", keepalive="6 7"))


def test_of_equal_keywords_the_last_one_is_edited() -> None:
    assert edited("service = lvs\nservice = lvs\n", put("", service="fos")) == "service = lvs\nservice = fos\n"


def test_a_removed_keyword_takes_all_its_lines_and_nothing_else() -> None:
    assert edited("a = 1\nkeepalive = 1\n# c\nkeepalive = 2\ndeadtime = 9", put("", keepalive=None)) == (
        "a = 1\n# c\ndeadtime = 9"
    )


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ("", {"primary": "192.0.2.1"}, "primary = 192.0.2.1\n"),
        ("# only a comment", {"primary": "192.0.2.1"}, "# only a comment\nprimary = 192.0.2.1\n"),
        ("primary = 192.0.2.1", {"keepalive": "6"}, "primary = 192.0.2.1\nkeepalive = 6\n"),
        ("deadtime = 18\n", {"keepalive": "6"}, "keepalive = 6\ndeadtime = 18\n"),
        ("service = lvs\ndeadtime = 18\n", {"keepalive": "6"}, "service = lvs\nkeepalive = 6\ndeadtime = 18\n"),
        ("deadtime = 18\nbackup = ::1\n", {"keepalive": "6"}, "deadtime = 18\nbackup = ::1\nkeepalive = 6\n"),
        ("  primary   = 192.0.2.1\n", {"keepalive": "6"}, "  primary   = 192.0.2.1\n  keepalive = 6\n"),
        ("  primary\t=\t192.0.2.1\n", {"keepalive": "6"}, "  primary\t=\t192.0.2.1\n  keepalive\t=\t6\n"),
        (
            "primary = 192.0.2.1\n",
            {"deadtime": "18", "backup": "192.0.2.2", "keepalive": "6"},
            "primary = 192.0.2.1\nbackup = 192.0.2.2\nkeepalive = 6\ndeadtime = 18\n",
        ),
        ("# of v\nvirtual v {\n}\n", {"primary": "192.0.2.1"}, "primary = 192.0.2.1\n# of v\nvirtual v {\n}\n"),
        ("# far\n\n# how long\ndeadtime = 18\n", {"keepalive": "6"},
         "# far\n\nkeepalive = 6\n# how long\ndeadtime = 18\n"),
        ("virtual v {\n}\nkeepalive = 6\n", {"deadtime": "18"}, "virtual v {\n}\nkeepalive = 6\ndeadtime = 18\n"),
        ("keepalive = 6\n", {"keepalive": None, "deadtime": "18"}, "deadtime = 18\n"),
    ],
)  # fmt: skip
def test_a_new_keyword_stands_where_its_neighbours_put_it(
    before: str, values: dict[str, str | None], after: str
) -> None:
    assert edited(before, SetValues(path="", values=values)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("virtual v {\n}\n", "virtual v {\n     port = 21\n}\n"),
        ("  virtual v {\n  }\n", "  virtual v {\n       port = 21\n  }\n"),
        ("virtual v {\n\tactive = 1\n}\n", "virtual v {\n\tactive = 1\n\tport = 21\n}\n"),
        (
            "virtual v {\n server s {\n  weight = 1\n }\n active = 1\n}\n",
            "virtual v {\n port = 21\n server s {\n  weight = 1\n }\n active = 1\n}\n",
        ),
        (
            "virtual v {\n timeout = 6\n server s {\n }\n active = 1\n}\n",
            "virtual v {\n port = 21\n timeout = 6\n server s {\n }\n active = 1\n}\n",
        ),
    ],
)
def test_port_stands_before_any_server(before: str, after: str) -> None:
    assert edited(before, put("virtual[v]", port="21")) == after


def test_a_block_is_added_behind_the_last_of_its_kind_in_its_style() -> None:
    text = edited(HTTP, AddBlock(parent="virtual[http]", kind="server", name="web2", values={"address": "10.0.0.2"}))
    assert text == HTTP.replace("     }\n}\n", "     }\n     server web2 {\n         address = 10.0.0.2\n     }\n}\n")


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        (
            "",
            AddBlock(parent="", kind="virtual", name="v", values={"active": "0", "address": "192.0.2.1 eth0:1"}),
            "virtual v {\n     active = 0\n     address = 192.0.2.1 eth0:1\n}\n",
        ),
        (
            "virtual v {\n}\n",
            AddBlock(parent="virtual[v]", kind="server", name="s", values={"weight": "1"}),
            "virtual v {\n     server s {\n         weight = 1\n     }\n}\n",
        ),
        (
            "virtual v {\n\tactive = 1\n}\n",
            AddBlock(parent="virtual[v]", kind="server", name="s", values={"weight": "1"}),
            "virtual v {\n\tactive = 1\n\tserver s {\n\t\tweight = 1\n\t}\n}\n",
        ),
        (
            "virtual v {\n\n  server a {\n  weight = 1\n  }\n\n}\n",
            AddBlock(parent="virtual[v]", kind="server", name="b", values={"weight": "2"}),
            "virtual v {\n\n  server a {\n  weight = 1\n  }\n\n  server b {\n  weight = 2\n  }\n\n}\n",
        ),
        (
            "virtual v {\n}\nfailover f {\n}\n# end\n",
            AddBlock(parent="", kind="virtual", name="w", values={}),
            "virtual v {\n}\nvirtual w {\n}\nfailover f {\n}\n# end\n",
        ),
        (
            "virtual v {\n server a {\n  weight = 1",
            AddBlock(parent="", kind="virtual", name="w", values={}),
            "virtual v {\n server a {\n  weight = 1\n }\n}\nvirtual w {\n}\n",
        ),
        (
            "virtual v {\n server a {\n  weight = 1\n",
            AddBlock(parent="virtual[v]", kind="server", name="b", values={}),
            "virtual v {\n server a {\n  weight = 1\n }\n server b {\n }\n",
        ),
        (
            "virtual v {\n",
            AddBlock(parent="virtual[v]", kind="server", name="b", values={"weight": "2"}),
            "virtual v {\n     server b {\n         weight = 2\n     }\n",
        ),
    ],
)
def test_a_new_block_looks_like_its_neighbours(before: str, edit: AddBlock, after: str) -> None:
    assert edited(before, edit) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("x = 1\n# of a\nvirtual a {\n}\nvirtual b {\n}\n", "virtual[a]", "x = 1\nvirtual b {\n}\n"),
        ("# of the file\nvirtual a {\n}\nvirtual b {\n}\n", "virtual[a]", "# of the file\nvirtual b {\n}\n"),
        ("x = 1\n# virtual o {\n#  port = 1\n#}\n# of a\nvirtual a {\n}\n", "virtual[a]",
         "x = 1\n# virtual o {\n#  port = 1\n#}\n"),
        ("virtual a {\n}\n# end of a\nvirtual b {\n}\n", "virtual[b]", "virtual a {\n}\n# end of a\n"),
        ("# far\n\n# of a\n# also\nvirtual a {\n}\n", "virtual[a]", "# far\n"),
        ("  # deeper\nvirtual a {\n}\n", "virtual[a]", "  # deeper\n"),
        ("x = 1\n\nvirtual a {\n}\n\nvirtual b {\n}\n", "virtual[a]", "x = 1\n\nvirtual b {\n}\n"),
        ("virtual a {\n}\nvirtual a {\n active = 1\n}\n", "virtual[a]", "virtual a {\n active = 1\n}\n"),
        ("virtual a {\n}\nvirtual a {\n active = 1\n}\n", "virtual[a#2]", "virtual a {\n}\n"),
        ("virtual v {\n server a {\n }\n\n server b {\n }\n}", V_B, "virtual v {\n server a {\n }\n}"),
        ("virtual a {\n weight = 1", "virtual[a]", ""),
    ],
)  # fmt: skip
def test_a_removed_block_takes_the_comments_that_describe_it(before: str, path: str, after: str) -> None:
    assert edited(before, RemoveBlock(path=path)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("virtual a {\n}\n", "virtual b {\n}\n"),
        ("\tvirtual  a  { # c\n}\n", "\tvirtual  b  { # c\n}\n"),
        ("virtual a{\n}\n", "virtual b {\n}\n"),
        ("virtual a\n{\n}\n", "virtual b\n{\n}\n"),
        ("virtual 'a' {\n}\n", "virtual b {\n}\n"),
    ],
)
def test_a_rename_changes_the_name_alone(before: str, after: str) -> None:
    assert edited(before, RenameBlock(path="virtual[a]", name="b")) == after


def test_a_block_with_a_name_of_two_words_can_be_renamed() -> None:
    assert edited('virtual "a b" {\n}\n', RenameBlock(path='virtual["a b"]', name="c")) == "virtual c {\n}\n"
    assert edited("virtual {\n}\n", RenameBlock(path='virtual[""]', name="c")) == "virtual c {\n}\n"


def test_edits_build_on_one_another() -> None:
    text = edited(
        HTTP,
        AddBlock(parent="", kind="virtual", name="ftp", values={"active": "0"}),
        put("virtual[ftp]", port="21", active="1"),
        AddBlock(parent="virtual[ftp]", kind="server", name="ftp1", values={"address": "10.0.0.9"}),
        RenameBlock(path="virtual[ftp]", name="FTP"),
        put("virtual[FTP].server[ftp1]", weight="3"),
        put("virtual[FTP].server[ftp1]", active="1"),
        RemoveBlock(path="virtual[http]"),
    )
    assert text == (
        "primary = 192.0.2.1\nvirtual FTP {\n     active = 1\n     port = 21\n     server ftp1 {\n"
        "         address = 10.0.0.9\n         active = 1\n         weight = 3\n     }\n}\n"
    )


REFUSED: list[tuple[Edit, str, str]] = [
    (put("virtual[ftp]", port="21"), "virtual[ftp]", ""),
    (put("virtual[http", port="21"), "virtual[http", ""),
    (put("virtual[http].port", port="21"), "virtual[http].port", ""),
    (put("virtual[http]", port="70000"), "virtual[http]", "port"),
    (put("virtual[http]", port="80\nsend_program = /x"), "virtual[http]", "port"),
    (put("virtual[http]", send='say "hi"'), "virtual[http]", "send"),
    (put("virtual[http]", send=r"a\d"), "virtual[http]", "send"),
    (put("virtual[http]", expect="a\\"), "virtual[http]", "expect"),
    (put("virtual[http]", expect_program="x"), "virtual[http]", "expect_program"),
    (put("virtual[http]", serial_no="4"), "virtual[http]", "serial_no"),
    (put("virtual[http].server[web1]", nmask="255.255.255.0"), "virtual[http].server[web1]", "nmask"),
    (put("", debug="ALL"), "", "debug"),
    (put("", **{"": "x"}), "", ""),
    (put("", **{"a\nb": "x"}), "", "a\nb"),
    (AddBlock(parent="", kind="virtual", name="http", values={}), "virtual[http]", ""),
    (AddBlock(parent="", kind="virtual", name="a b", values={}), 'virtual["a b"]', ""),
    (AddBlock(parent="", kind="server", name="s", values={}), "", ""),
    (AddBlock(parent="virtual[http]", kind="virtual", name="s", values={}), "virtual[http]", ""),
    (AddBlock(parent=WEB1, kind="server", name="s", values={}), WEB1, ""),
    (AddBlock(parent="", kind="virtual", name="new", values={"port": "0"}), "virtual[new]", "port"),
    (AddBlock(parent="virtual[ftp]", kind="server", name="s", values={}), "virtual[ftp]", ""),
    (RemoveBlock(path="virtual[ftp]"), "virtual[ftp]", ""),
    (RemoveBlock(path=""), "", ""),
    (RenameBlock(path="", name="x"), "", ""),
    (RenameBlock(path="virtual[http]", name="x {"), "virtual[http]", ""),
    (RenameBlock(path="virtual[http]", name=""), "virtual[http]", ""),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "path", "keyword"), REFUSED, ids=[repr(each[0])[:70] for each in REFUSED])
def test_a_refused_edit_names_its_place_and_changes_nothing(edit: Edit, path: str, keyword: str) -> None:
    document = load(HTTP).document
    with pytest.raises(EditRefused) as refused:
        apply_edits(document, [put("", keepalive="7"), edit])
    assert (refused.value.path, refused.value.keyword) == (path, keyword)
    assert refused.value.sentence
    assert document.text == HTTP


def test_a_name_may_be_used_once_among_siblings() -> None:
    text = edited(HTTP, AddBlock(parent="", kind="failover", name="http", values={}))
    another = AddBlock(parent="", kind="virtual", name="b", values={})
    with pytest.raises(EditRefused, match="already"):
        edited(text, another, RenameBlock(path="virtual[b]", name="http"))
    assert edited(HTTP, RenameBlock(path="virtual[http]", name="http")) == HTTP


def test_an_edit_that_would_read_differently_is_refused() -> None:
    # The missing brace of `a` ends where `b` begins; without `b`, what follows would be read as part of `a`.
    text = "virtual a {\nvirtual b {\n}\nkeepalive = 6\nserver s {\n}\n"
    with pytest.raises(EditRefused, match="Mend the file's braces"):
        edited(text, RemoveBlock(path="virtual[b]"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "serial_no = 1\n"),
        ("# top\nprimary = 192.0.2.1\n", "serial_no = 1\n# top\nprimary = 192.0.2.1\n"),
        ("  primary = 192.0.2.1\n", "  serial_no = 1\n  primary = 192.0.2.1\n"),
        ("serial_no = 0", "serial_no = 1"),
        ("serial_no = 2013042401\n", "serial_no = 2013042402\n"),
        ("serial_no = 201304240101\n", "serial_no = 201304240102\n"),
        ("serial_no = 010\n", "serial_no = 9\n"),
        ("serial_no = -4\n", "serial_no = -3\n"),
        ("serial_no = rubbish\n", "serial_no = 1\n"),
        ("serial_no =\n", "serial_no = 1\n"),
        (f"serial_no = {'9' * 50}\n", "serial_no = 1\n"),
        ("serial_no = 1\nserial_no = 5\n", "serial_no = 1\nserial_no = 6\n"),
        ("virtual v {\n}\n", "serial_no = 1\nvirtual v {\n}\n"),
    ],
)
def test_the_serial_number_counts_up_once(before: str, after: str) -> None:
    assert with_next_serial(load(before).document).text == after


def test_many_edits_of_a_large_file_change_their_lines_alone(large_text: str) -> None:
    document = load(large_text).document
    edits = [put(f"virtual[v{number}].server[s{number}_1]", weight="9") for number in range(200)]
    after = apply_edits(document, edits)
    assert after.text.count("weight = 9\n") == 200
    assert len(after.text) == len(large_text)
