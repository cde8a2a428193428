"""Only what a change brought is told after it."""

from piranha.config.editing import apply_edits
from piranha.config.edits import RenameBlock, SetValues
from piranha.config.load import load, understood
from piranha.config.new_faults import new_faults

TEXT = """\
primary = 192.0.2.1
site_word = 1
virtual a {
     active = 1
     address = 192.0.2.10 eth0:1
     server x {
         address = 10.0.0.300
         active = 1
     }
}
virtual b {
     active = 1
     address = 192.0.2.11 eth0:1
     server x {
         address = 10.0.0.1
         active = 1
     }
}
"""


def brought(*edits):
    before = load(TEXT)
    after = understood(apply_edits(before.document, edits, counts_up=True))
    return [(fault.path, fault.keyword) for fault in new_faults(before.faults, after.faults)]


def test_faults_that_were_there_before_are_not_new_wherever_their_lines_are_now() -> None:
    assert load(TEXT).faults
    assert brought(SetValues(path="", values={"backup_active": "0"})) == []


def test_a_fault_like_an_old_one_in_another_block_is_new_there() -> None:
    copied = TEXT.replace("10.0.0.1\n", "10.0.0.300\n")
    fresh = new_faults(load(TEXT).faults, load(copied).faults)
    assert ("virtual[b].server[x]", "address") in [(fault.path, fault.keyword) for fault in fresh]
    assert not [fault for fault in fresh if fault.path.startswith("virtual[a]")]


def test_a_renamed_block_takes_its_faults_along() -> None:
    assert brought(RenameBlock(path="virtual[a].server[x]", name="y")) == []


def test_a_fault_that_shows_the_name_of_its_block_is_not_new_after_a_rename() -> None:
    text = TEXT.replace("     address = 192.0.2.10 eth0:1\n", "")
    before = load(text)
    assert [fault.text for fault in before.faults if fault.code == "no-address"] == ["a"]
    after = understood(apply_edits(before.document, [RenameBlock(path="virtual[a]", name="c")], counts_up=True))
    assert new_faults(before.faults, after.faults) == ()


def test_a_fault_that_names_another_block_is_not_new_after_that_ones_rename() -> None:
    before = load(TEXT.replace("192.0.2.11", "192.0.2.10"))
    assert [fault.path for fault in before.faults if fault.code == "same-service"] == ["virtual[b]"]
    after = understood(apply_edits(before.document, [RenameBlock(path="virtual[a]", name="c")], counts_up=True))
    assert new_faults(before.faults, after.faults) == ()


def test_a_keyword_that_stands_twice_is_told_once_and_not_at_every_edit() -> None:
    before = load(f"serial_no = 1\nserial_no = 2\nkeepalive = 1\n{TEXT}")
    edits = [SetValues(path="", values={"keepalive": "2", "service": "lvs"})]
    after = understood(apply_edits(before.document, edits, counts_up=True))
    assert "duplicate-keyword" in [fault.code for fault in after.faults]
    assert new_faults(before.faults, after.faults) == ()


def test_the_same_rule_broken_with_another_value_is_new() -> None:
    before = load(TEXT.replace("10.0.0.300", "10.0.0.1"))
    after = load(TEXT)
    assert [fault.text for fault in new_faults(before.faults, after.faults)] == ["10.0.0.300"]


def test_nothing_is_new_the_other_way_round_when_faults_went() -> None:
    mended = TEXT.replace("10.0.0.300", "10.0.0.3")
    assert new_faults(load(TEXT).faults, load(mended).faults) == ()
    assert new_faults(load(mended).faults, load(TEXT).faults) != ()
