"""What flaps is told together, and its last transition is never lost."""

from piranha.engine.flapping import BURST, LONGEST_S, QUIET_S, THINGS_MAX, WINDOW_S, Flapping, Held


def offered(flapping: Flapping[int], count: int, every_s: float, thing: str = "web1", start: float = 0.0) -> list[Held]:
    told = []
    for number in range(count):
        told += flapping.offer(thing, number, start + number * every_s)
        told += flapping.due(start + number * every_s)
    return told


def test_a_few_transitions_are_told_at_once():
    told = offered(Flapping(), BURST, 1.0)
    assert told == [Held(number, number, 1) for number in range(BURST)]


def test_slow_ones_are_told_at_once_for_ever():
    every_s = WINDOW_S / BURST
    assert len(offered(Flapping(), 100, every_s)) == 100


def test_what_comes_faster_is_told_as_one_when_it_is_quiet():
    flapping: Flapping[int] = Flapping()
    assert len(offered(flapping, 20, 1.0)) == BURST
    assert list(flapping.due(19.0 + QUIET_S - 0.1)) == []
    assert list(flapping.due(19.0 + QUIET_S)) == [Held(19, BURST, 20 - BURST)]
    assert list(flapping.due(1e6)) == []


def test_what_never_rests_is_told_now_and_then_and_nothing_is_counted_twice():
    flapping: Flapping[int] = Flapping()
    count = 10_000
    told = [*offered(flapping, count, 1.0), *flapping.due(count + QUIET_S)]
    assert len(told) <= BURST + count / LONGEST_S + 1
    assert sum(each.count for each in told) == count
    assert told[-1].last == count - 1


def test_a_day_of_a_flapping_server_is_a_few_hundred_events():
    assert len(offered(Flapping(), 43_200, 2.0)) < 300


def test_what_is_held_is_told_at_the_end():
    flapping: Flapping[int] = Flapping()
    offered(flapping, 10, 1.0)
    assert list(flapping.all()) == [Held(9, BURST, 10 - BURST)]
    assert list(flapping.all()) == []


def test_one_that_flaps_holds_nobody_else_up():
    flapping: Flapping[int] = Flapping()
    offered(flapping, 50, 1.0)
    assert list(flapping.offer("web2", 7, 51.0)) == [Held(7, 7, 1)]


def test_after_it_was_quiet_for_long_it_is_told_at_once_again():
    flapping: Flapping[int] = Flapping()
    offered(flapping, 50, 1.0)
    assert len(list(flapping.due(100.0))) == 1
    assert list(flapping.offer("web1", 50, 100.0 + WINDOW_S)) == [Held(50, 50, 1)]


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_told():
    flapping: Flapping[int] = Flapping()
    offered(flapping, 10, 1.0, thing="first")
    told = [each for number in range(THINGS_MAX) for each in flapping.offer(number, number, 20.0)]
    assert Held(9, BURST, 10 - BURST) in told
    assert len(told) == THINGS_MAX + 1
