"""What an edit must leave alone, checked with a second reader: other lines, other blocks, every comment."""

from collections import Counter

from piranha.config import path
from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import AddBlock, Edit, MoveBlock, RemoveBlock, RenameBlock, SetValues
from tests.config.plain_reading import changed_lines, comments_of, lines_of, places_of, read


def check_edit(document: Document, edit: Edit, edited: Document) -> None:
    """Compare the text before and after an edit that was done, through the second reader."""
    if edited is document:
        return
    old, new = read(document.plain), read(edited.plain)
    lost, came = changed_lines(document.plain, edited.plain)
    match edit:
        case SetValues():
            check_set(document, edit, edited)
            return
        case AddBlock():
            parent = path.parse_block(edit.parent)
            outer = new.at(places_of(document, parent))
            added = next(
                place
                for place, inner in enumerate(outer.blocks)
                if edited.blocks(parent)[place][-1] == path.Step(edit.kind, edit.name)
            )
            block = outer.blocks.pop(added)
            assert (block.kind, len(block.lines), block.blocks) == (edit.kind, len(edit.values), [])
            for keyword, value in edit.values.items():
                assert edited.get((*parent, path.Step(edit.kind, edit.name)), keyword) == value
            assert not lost
            assert len(comments_of(edited.plain)) == len(comments_of(document.plain))
        case RemoveBlock():
            at = places_of(document, path.parse_block(edit.path))
            old.at(at[:-1]).blocks.pop(at[-1])
            assert not came
        case RenameBlock():
            at = places_of(document, path.parse_block(edit.path))
            header, renamed = old.at(at), new.at(at)
            assert edited.blocks(path.parse_block(edit.path)[:-1])[at[-1]][-1].name == edit.name
            assert len(lost) == len(came) == 1
            header.header = renamed.header = ()
        case MoveBlock():
            check_move(document, edit, edited)
            return
        case _:
            raise AssertionError(f"no check for {edit}")
    assert old == new, (old, new)


def check_move(document: Document, edit: MoveBlock, edited: Document) -> None:
    """Compare the text before and after a move: the block is there, everything else as before, no line lost."""
    old, new = read(document.plain), read(edited.plain)
    parent = path.parse_block(edit.parent)
    at, outer = places_of(document, path.parse_block(edit.path)), old.at(places_of(document, parent))
    source = old.at(at[:-1])
    moved = source.blocks[at[-1]]
    # By identity: blocks of one name may say the same.
    before = outer.blocks[places_of(document, path.parse_block(edit.before))[-1]] if edit.before else None
    source.blocks = [each for each in source.blocks if each is not moved]
    places = [place for place, each in enumerate(outer.blocks) if each is before]
    if before is None:
        places = [place + 1 for place, each in enumerate(outer.blocks) if each.kind == moved.kind]
    outer.blocks.insert(places[-1] if places else len(outer.blocks), moved)
    old.strip()
    new.strip()
    assert old == new, (old, new)
    stays, is_there = (
        Counter(line.strip(" \t") for line in lines_of(each.plain) if line.strip(" \t")) for each in (document, edited)
    )
    assert not stays - is_there, stays - is_there
    assert set(is_there - stays) <= {"}"}, is_there - stays


def check_set(document: Document, edit: SetValues, edited: Document) -> None:
    """Compare the text before and after values were set: other lines are the same, and every comment."""
    old, new = read(document.plain), read(edited.plain)
    at = path.parse_block(edit.path)
    places = places_of(document, at)
    before, after = (reading.at(places).take(set(edit.values)) for reading in (old, new))
    assert old == new, (old, new)
    assert comments_of(document.plain) == comments_of(edited.plain)
    for keyword, value in edit.values.items():
        assert edited.get(at, keyword) == value
        if value is None:
            assert after[keyword] == []
        elif document.get(at, keyword) != value:
            assert value in after[keyword][-1]
            assert after[keyword][:-1] == before[keyword][:-1]
            assert len(after[keyword]) == max(1, len(before[keyword]))
        else:
            assert len(after[keyword]) == len(before[keyword])
    if len(edit.values) == 1 and None not in edit.values.values():
        lost, came = changed_lines(document.plain, edited.plain)
        assert len(lost) <= 1 and len(came) <= 1
    again = apply_edits(edited, [edit])
    assert again is edited
