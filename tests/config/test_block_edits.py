"""Blocks that are moved: where they go, what goes with them, and what is refused. The rest is in test_editing."""

import pytest

from piranha.config.editing import apply_edits
from piranha.config.edits import AddBlock, Edit, MoveBlock, RemoveBlock, SetValues
from piranha.config.load import load, strict
from piranha.errors import EditRefused


def moved(text: str, path: str, parent: str = "", before: str = "") -> str:
    """Return a text after a move."""
    return apply_edits(load(text).document, [MoveBlock(path=path, parent=parent, before=before)]).text


TWO = """\
# all of it
service = lvs

# the shop
virtual shop {
     active = 1
     # the fast one
     server a {
         address = 10.0.0.1
     }
     server b {
         address = 10.0.0.2
     }
     server c {
         address = 10.0.0.3
     }
}

# the mail
virtual mail {
     port = 25
}

virtual news {
     port = 119
}
# the end
"""


def test_a_real_server_goes_up_with_its_comment() -> None:
    after = moved(TWO, "virtual[shop].server[c]", "virtual[shop]", "virtual[shop].server[a]")
    assert after == TWO.replace("     server c {\n         address = 10.0.0.3\n     }\n", "").replace(
        "     # the fast one\n",
        "     server c {\n         address = 10.0.0.3\n     }\n     # the fast one\n",
    )


def test_a_real_server_goes_down_with_its_comment() -> None:
    after = moved(TWO, "virtual[shop].server[a]", "virtual[shop]")
    block = "     # the fast one\n     server a {\n         address = 10.0.0.1\n     }\n"
    assert after == TWO.replace(block, "").replace("10.0.0.3\n     }\n", f"10.0.0.3\n     }}\n{block}")


def test_a_real_server_goes_to_another_virtual_server() -> None:
    after = moved(TWO, "virtual[shop].server[b]", "virtual[mail]")
    block = "     server b {\n         address = 10.0.0.2\n     }\n"
    assert after == TWO.replace(block, "").replace("     port = 25\n", f"     port = 25\n{block}")
    assert [server.name for server in strict(after).cluster.virtual_servers[1].servers] == ["b"]


def test_a_virtual_server_takes_its_comment_and_the_blank_line_between_the_blocks() -> None:
    after = moved(TWO, "virtual[mail]", "", "virtual[shop]")
    block = "# the mail\nvirtual mail {\n     port = 25\n}\n\n"
    assert after == TWO.replace(block, "").replace("# the shop\n", f"{block}# the shop\n")


def test_a_virtual_server_goes_behind_the_last_one() -> None:
    after = moved(TWO, "virtual[mail]")
    block = "# the mail\nvirtual mail {\n     port = 25\n}\n"
    assert after == TWO.replace(f"{block}\n", "").replace("119\n}\n", f"119\n}}\n\n{block}")


@pytest.mark.parametrize(
    ("path", "parent", "before"),
    [
        ("virtual[news]", "", ""),
        ("virtual[mail]", "", "virtual[news]"),
        ("virtual[mail]", "", "virtual[mail]"),
        ("virtual[shop].server[c]", "virtual[shop]", ""),
        ("virtual[shop].server[a]", "virtual[shop]", "virtual[shop].server[b]"),
    ],
)
def test_a_block_that_stands_there_already_changes_nothing(path: str, parent: str, before: str) -> None:
    document = load(TWO).document
    assert apply_edits(document, [MoveBlock(path=path, parent=parent, before=before)]) is document


def test_a_moved_block_is_indented_like_its_new_neighbours() -> None:
    text = "virtual a {\n\tserver x {\n\t\tweight = 1\n\t}\n}\nvirtual b {\n  server y {\n    weight = 2\n  }\n}\n"
    assert moved(text, "virtual[a].server[x]", "virtual[b]", "virtual[b].server[y]") == (
        "virtual a {\n}\nvirtual b {\n  server x {\n    weight = 1\n  }\n  server y {\n    weight = 2\n  }\n}\n"
    )


def test_the_last_block_of_a_file_without_a_line_end_can_go_up() -> None:
    text = "virtual a {\n}\nvirtual b {\n}"
    assert moved(text, "virtual[b]", "", "virtual[a]") == "virtual b {\n}\nvirtual a {\n}\n"
    assert moved(text, "virtual[a]") == "virtual b {\n}\nvirtual a {\n}\n"


def test_a_block_goes_behind_one_that_is_never_closed_which_is_closed_then() -> None:
    assert moved("virtual a {\n}\nvirtual b {\n  port = 25\n", "virtual[a]") == (
        "virtual b {\n  port = 25\n}\nvirtual a {\n}\n"
    )


def test_of_equal_blocks_the_one_that_is_meant_is_moved() -> None:
    text = "virtual a {\n port = 1\n}\nvirtual a {\n port = 2\n}\nvirtual a {\n port = 3\n}\n"
    after = moved(text, "virtual[a#2]", "", "virtual[a]")
    assert [virtual.port for virtual in load(after).cluster.virtual_servers] == [2, 1, 3]
    after = moved(text, "virtual[a#2]")
    assert [virtual.port for virtual in load(after).cluster.virtual_servers] == [1, 3, 2]


def test_a_move_builds_on_the_edits_before_it() -> None:
    edits: list[Edit] = [
        SetValues(path="virtual[mail]", values={"port": "26"}),
        MoveBlock(path="virtual[mail]", before="virtual[shop]"),
        RemoveBlock(path="virtual[shop]"),
        SetValues(path="virtual[mail]", values={"active": "1"}),
    ]
    loaded = load(apply_edits(load(TWO).document, edits).text)
    assert [(each.name, each.port, each.is_active) for each in loaded.cluster.virtual_servers] == [
        ("mail", 26, True),
        ("news", 119, False),
    ]


@pytest.mark.parametrize(
    ("move", "path"),
    [
        (MoveBlock(path="", before="virtual[mail]"), ""),
        (MoveBlock(path="virtual[none]"), "virtual[none]"),
        (MoveBlock(path="virtual[mail]", before="virtual[none]"), "virtual[none]"),
        (MoveBlock(path="virtual[mail]", before="virtual[shop].server[a]"), "virtual[mail]"),
        (MoveBlock(path="virtual[mail]", parent="virtual[shop]"), "virtual[shop]"),
        (MoveBlock(path="virtual[shop].server[a]"), ""),
        (MoveBlock(path="virtual[shop].server[a]", parent="virtual[none]"), "virtual[none]"),
        (MoveBlock(path="virtual[shop].server[a]", parent="virtual[shop].server[b]"), "virtual[shop].server[b]"),
        (MoveBlock(path="virtual[shop].server[a", parent="virtual[mail]"), "virtual[shop].server[a"),
    ],
)
def test_a_move_to_nowhere_is_refused(move: MoveBlock, path: str) -> None:
    with pytest.raises(EditRefused) as refused:
        apply_edits(load(TWO).document, [move])
    assert refused.value.path == path


def test_a_move_to_a_place_where_the_name_is_taken_is_refused() -> None:
    text = "virtual a {\n server s {\n }\n}\nvirtual b {\n server s {\n }\n}\n"
    with pytest.raises(EditRefused, match="already"):
        moved(text, "virtual[a].server[s]", "virtual[b]")


def test_a_block_that_is_never_closed_is_closed_where_it_goes() -> None:
    text = "virtual a {\n}\nvirtual b {\n server s {\n  weight = 2"
    assert moved(text, "virtual[b]", "", "virtual[a]") == (
        "virtual b {\n server s {\n  weight = 2\n }\n}\nvirtual a {\n}\n"
    )
    with pytest.raises(EditRefused, match="Mend the file's braces"):
        moved("virtual a {\nvirtual b {\n}\nkeepalive = 6\n", "virtual[b]", "", "virtual[a]")


def test_the_comments_of_an_open_block_stay_in_it() -> None:
    text = "virtual a {\n server x {\n  weight = 1\n  # weight = 3 at night"
    add = AddBlock(parent="virtual[a]", kind="server", name="y", values={"weight": "2"})
    assert apply_edits(load(text).document, [add]).text == f"{text}\n }}\n server y {{\n  weight = 2\n }}\n"


@pytest.mark.parametrize(
    ("path", "before"),
    [("virtual[v].server[a]", ""), ("virtual[v].server[b]", "virtual[v].server[a]")],
)
def test_a_real_server_does_not_pass_the_port_that_it_takes(path: str, before: str) -> None:
    text = "virtual v {\n server a {\n }\n port = 21\n server b {\n }\n server c {\n }\n}\n"
    with pytest.raises(EditRefused, match="line 4") as refused:
        moved(text, path, "virtual[v]", before)
    assert refused.value.keyword == "port"
    assert "server c" in moved(text, "virtual[v].server[b]", "virtual[v]")
    own = text.replace("server a {\n", "server a {\n  port = 80\n")
    assert [
        server.port
        for server in load(moved(own, "virtual[v].server[a]", "virtual[v]")).cluster.virtual_servers[0].servers
    ] == [21, 21, 80]


def test_the_servers_of_a_moved_block_are_indented_like_its_new_neighbours() -> None:
    text = (
        "virtual a {\n\tport = 1\n\tserver x {\n\t\tweight = 1\n\t}\n}\n"
        "virtual b {\n     port = 2\n     server y {\n         weight = 2\n     }\n}\n"
    )
    assert moved(text, "virtual[a]").endswith(
        "}\nvirtual a {\n     port = 1\n     server x {\n         weight = 1\n     }\n}\n"
    )


def test_a_netmask_that_means_none_is_left_out() -> None:
    text = "virtual v {\n vip_nmask = 255.255.255.0\n}\n"
    none = SetValues(path="virtual[v]", values={"vip_nmask": "0.0.0.0"})
    assert apply_edits(load(text).document, [none]).text == "virtual v {\n}\n"
    bare = load("virtual v {\n}\n").document
    assert apply_edits(bare, [none]) is bare
    add = AddBlock(parent="", kind="virtual", name="w", values={"port": "1", "vip_nmask": "0.0.0.0"})
    assert "vip_nmask" not in apply_edits(bare, [add]).text
