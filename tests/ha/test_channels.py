"""What was heard on a channel: age, loss, and whether it works."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.ha.channels import SPAN, Channel, counted, counted_bare, of_new_boot


def after(*sequences: int) -> Channel:
    channel = Channel()
    for sequence in sequences:
        channel = counted(channel, sequence, sequence * 0.1)
    return channel


def test_nothing_is_known_of_a_channel_on_which_nothing_was_heard() -> None:
    channel = Channel()
    assert (channel.age_s(5.0), channel.works(5.0, 6.0), channel.loss(5.0, 2.0)) == (None, False, None)


def test_it_works_for_deadtime_after_each_heartbeat() -> None:
    channel = counted(Channel(), 1, 10.0)
    assert channel.age_s(12.5) == 2.5
    assert channel.works(10.29, 0.3)
    assert not channel.works(10.3, 0.3)


@pytest.mark.parametrize(
    ("sequences", "loss"), [((1,), None), ((1, 2), 0.0), ((1, 3), 1 / 3), ((1, 2, 3, 7), 3 / 7), ((1, 200), 63 / 64)]
)
def test_the_loss_is_reckoned_from_the_gaps(sequences: tuple[int, ...], loss: float | None) -> None:
    assert after(*sequences).loss(0.0, 1.0) == (loss if loss is None else pytest.approx(loss))


def test_only_the_last_ones_count_for_the_loss() -> None:
    bad_then_good = after(*range(1, 100, 3), *range(100, 100 + SPAN))
    assert bad_then_good.loss(0.0, 1.0) == 0.0
    assert bad_then_good.heard == 33 + SPAN


def test_a_new_boot_begins_anew_and_keeps_the_age() -> None:
    channel = counted(of_new_boot(after(1, 5, 900)), 1, 100.0)
    assert (channel.loss(100.0, 1.0), channel.heard, channel.heard_at) == (None, 4, 100.0)
    assert counted(channel, 2, 101.0).loss(101.0, 1.0) == 0.0


def test_an_original_does_not_count_so_time_tells_the_loss() -> None:
    channel = Channel()
    for at in (0.0, 2.0, 4.0, 8.0):
        channel = counted_bare(channel, at)
    assert channel.loss(8.0, 2.0) == 0.0
    assert channel.loss(16.0, 2.0) == 0.5
    for at in range(9, 100):
        channel = counted_bare(channel, float(at))
    assert len(channel.times) == 16
    assert channel.loss(99.0, 1.0) == 0.0


@given(st.sets(st.integers(1, 300), min_size=2))
def test_the_loss_is_the_share_of_missing_sequences(came: set[int]) -> None:
    ordered = sorted(came)
    last, first = ordered[-1], max(ordered[0], ordered[-1] - SPAN + 1)
    expected = 1 - len([each for each in ordered if each >= first]) / (last - first + 1)
    assert after(*ordered).loss(0.0, 1.0) == pytest.approx(expected)
