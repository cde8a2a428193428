"""Events: numbered for ever, bounded, asked for page by page, and never a burden for who tells them."""

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from piranha.engine import events as events_module
from piranha.engine.caller import Caller
from piranha.engine.connections import QueryRefused
from piranha.engine.events import Events
from piranha.engine.flapping import BURST, QUIET_S
from piranha.engine.questions import Choice
from piranha.records import EngineEvent, EventKind, EventsQuery

ANN = Caller("ann", "192.0.2.7")
WEB = "virtual[web]"


@dataclass
class Time:
    """Monotonic seconds, and the time of day that goes with them."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> str:
        began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
        return (began + timedelta(seconds=self.now)).isoformat()


@pytest.fixture
def time() -> Time:
    return Time()


def events_at(paths, time: Time, **more) -> Events:
    return Events(paths.events, now=time, at=time.wall, **more)


async def told(paths, time: Time, count: int, **more) -> Events:
    """Return events that have told `count` of them, on the disk."""
    events = events_at(paths, time, **more)
    await events.open()
    for number in range(count):
        time.now += 1
        events.say(EventKind.SAVED, WEB, f"save {number + 1}", ANN)
    await events.close()
    return events


async def numbers(events: Events, **query: str) -> list[int]:
    return [event.number for event in (await events.asked(EventsQuery(**query))).events]


async def test_an_event_says_when_what_about_and_who(paths, time):
    events = await told(paths, time, 1)
    answer = await events.asked(EventsQuery())
    assert answer.events == (EngineEvent(1, answer.events[0].at, "saved", WEB, "save 1", "ann", "192.0.2.7"),)
    assert datetime.fromisoformat(answer.events[0].at).tzinfo is not None
    assert (answer.next, answer.last_number, answer.problem) == (None, 1, "")


async def test_numbers_go_on_over_restarts_and_what_is_told_before_the_disk_is_read_comes_behind(paths, time):
    await told(paths, time, 3)
    again = events_at(paths, time)
    again.say(EventKind.STARTED, "", "early")
    await again.open()
    again.say(EventKind.STARTED, "", "late")
    found = (await again.asked(EventsQuery())).events
    assert [(event.number, event.sentence) for event in found][:3] == [(5, "late"), (4, "early"), (3, "save 3")]
    await again.close()
    assert await numbers(await told(paths, time, 0)) == [5, 4, 3, 2, 1]


async def test_a_killed_engine_left_half_a_line_and_its_number_is_used(paths, time):
    await told(paths, time, 3)
    with paths.events.open("ab") as file:
        file.write(b'{"number":4,"at":"20')
    again = await told(paths, time, 1)
    assert await numbers(again) == [4, 3, 2, 1]


async def test_the_disk_holds_two_files_and_the_newest_events(paths, time, monkeypatch):
    monkeypatch.setattr(events_module, "BATCH", 10)
    events = await told(paths, time, 2000, file_bytes=20_000)
    files = [path for path in paths.state.iterdir() if path.name.startswith("events")]
    assert len(files) == 2 and all(path.stat().st_size <= 20_000 for path in files)
    kept = await numbers(await told(paths, time, 0, file_bytes=20_000), limit="1000")
    assert kept[0] == 2000 and 50 < len(kept) < 400 and kept == list(range(2000, 2000 - len(kept), -1))
    # What this engine told itself is in memory too.
    assert len(await numbers(events, limit="1000")) == 1000


async def test_pages_follow_one_another_in_memory_and_on_the_disk(paths, time, monkeypatch):
    monkeypatch.setattr(events_module, "RING", 10)
    await told(paths, time, 25, file_bytes=2000)
    events = await told(paths, time, 15, file_bytes=1_000_000)
    first = await events.asked(EventsQuery(limit="7"))
    seen, query = [event.number for event in first.events], first.next
    while query is not None:
        page = await events.asked(EventsQuery(limit="7", before=str(query)))
        seen += [event.number for event in page.events]
        query = page.next
    assert seen == list(range(40, 40 - len(seen), -1)) and len(seen) > 20
    oldest = seen[-1]
    after = await events.asked(EventsQuery(limit="7", after=str(oldest)))
    assert [event.number for event in after.events] == list(range(oldest + 1, oldest + 8)) and after.next == oldest + 7


async def test_who_follows_misses_nothing_and_waits_behind_the_last(paths, time):
    events = await told(paths, time, 5)
    assert await numbers(events, after="3") == [4, 5]
    assert await numbers(events, after="5") == []
    assert await numbers(events, after="99") == []


async def test_they_are_chosen_by_kind_path_words_and_time(paths, time):
    events = events_at(paths, time)
    events.say(EventKind.SERVER_DOWN, f"{WEB}.server[a]", "no answer")
    events.say(EventKind.SERVER_UP, f"{WEB}.server[b]", "it ANSWERS")
    time.now += 3600
    events.say(EventKind.SERVER_DOWN, "virtual[web2].server[a]", "refused")
    events.say(EventKind.STARTED, "", "The engine started.")
    assert await numbers(events, kind="server-down, server-up") == [3, 2, 1]
    assert await numbers(events, about=WEB) == [2, 1]
    assert await numbers(events, about=f"{WEB}.server[a]") == [1]
    assert await numbers(events, text="answer") == [2, 1]
    assert await numbers(events, since="150m") == [4, 3]
    assert await numbers(events, until="150m") == [2, 1]
    assert await numbers(events, since="1970-01-01", until=(await events.asked(EventsQuery())).at) == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("kind", "server-down,nonsense"),
        ("since", "yesterday"),
        ("until", "9999999999d"),
        ("after", "-1"),
        ("before", "x"),
        ("limit", "0"),
        ("limit", "1001"),
    ],
)
async def test_what_is_not_understood_is_refused_with_its_field(paths, time, field, written):
    with pytest.raises(QueryRefused) as refused:
        await events_at(paths, time).asked(EventsQuery(**{field: written}))
    assert refused.value.keyword == field and written.split(",")[-1][:10] in str(refused.value)


async def test_a_flapping_server_does_not_flood_and_its_last_state_is_told(paths, time):
    events = events_at(paths, time)
    for number in range(1001):
        time.now += 1
        kind = EventKind.SERVER_UP if number % 2 else EventKind.SERVER_DOWN
        events.say(kind, f"{WEB}.server[a]", f"change {number + 1}")
        events.tell_due()
    events.say(EventKind.SERVER_DOWN, f"{WEB}.server[b]", "another one")
    time.now += QUIET_S
    events.tell_due()
    found = (await events.asked(EventsQuery(limit="1000"))).events
    assert len(found) < BURST + 6
    last = found[0]
    assert (last.kind, last.sentence.split(" (")[0]) == ("server-down", "change 1001")
    assert last.count > 1 and last.since < last.at and f"the last of {last.count} changes" in last.sentence
    assert sum(event.count for event in found) == 1002


async def test_what_a_person_does_is_told_each_time(paths, time):
    events = events_at(paths, time)
    for number in range(50):
        events.say(EventKind.DRAIN, WEB, f"{number}", ANN)
        events.say(EventKind.SAVED, WEB, f"{number}")
    assert len(await numbers(events, limit="1000")) == 100


async def test_what_is_held_is_on_the_disk_when_the_engine_ends(paths, time):
    events = events_at(paths, time)
    for number in range(BURST + 3):
        events.say(EventKind.SERVER_UP, WEB, f"change {number + 1}")
    await events.close()
    found = (await (await told(paths, time, 0)).asked(EventsQuery())).events
    assert found[0].sentence.startswith(f"change {BURST + 3} ") and found[0].count == 3


async def test_a_disk_that_refuses_is_told_once_and_the_events_are_written_later(paths, time, caplog):
    paths.events.mkdir()
    events = events_at(paths, time)
    await events.open()
    events.say(EventKind.SAVED, WEB, "kept in memory")
    await events.close()
    await events.close()
    answer = await events.asked(EventsQuery())
    assert [event.sentence for event in answer.events] == ["kept in memory"] and str(paths.events) in answer.problem
    assert len([message for message in caplog.messages if "Events" in message or "events" in message]) == 1
    paths.events.rmdir()
    await events.close()
    assert (await events.asked(EventsQuery())).problem == ""
    assert await numbers(await told(paths, time, 0)) == [1]


async def test_the_writer_writes_what_other_threads_tell(paths, time):
    events = Events(paths.events)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(events.keep_writing(), name="events")
        await events.open()
        for number in range(4):
            threading.Thread(
                target=lambda number=number: [events.say(EventKind.SAVED, WEB, f"{number}") for _ in range(50)]
            ).start()
        async with asyncio.timeout(30):
            while not paths.events.exists() or paths.events.read_bytes().count(b"\n") < 200:
                await asyncio.to_thread(threading.Event().wait, 0.01)
        writing.cancel()
    assert await numbers(await told(paths, time, 0), limit="1000") == list(range(200, 0, -1))


async def test_a_sentence_without_end_has_one(paths, time):
    events = events_at(paths, time)
    events.say(EventKind.REFUSED, WEB, "x" * 100_000)
    assert len((await events.asked(EventsQuery())).events[0].sentence) == events_module.SENTENCE_MAX


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("web7 is UP.", "up"),
        ("20 \u212aelvin", "kelvin"),  # a sign that is a k without its case
        ("Stra\u00dfe", "strasse"),
        ('a "word" \\ here', 'a "word" \\'),
        ("tab\there", "b\th"),
        ("caf\u00e9 au lait", "lait"),
    ],
)
def test_a_line_with_what_is_looked_for_is_never_left_out(sentence: str, text: str) -> None:
    event = EngineEvent(7, "", EventKind.SERVER_UP, "virtual[web]", sentence, "", "")
    line = msgspec.json.encode(event)
    assert text in sentence.casefold()
    for kinds in (frozenset(), frozenset({EventKind.SERVER_UP, EventKind.SAVED})):
        may_match = events_module._line_filter(Choice(50, kinds=kinds, text=text))
        assert may_match is None or (may_match(line) and may_match(b"{}\n" + line + b"\n{}"))
    others = events_module._line_filter(Choice(50, kinds=frozenset({EventKind.SAVED})))
    assert others is not None and not others(line)
    if event.sentence.isascii() and '"' not in text and "\t" not in text:
        nothing = events_module._line_filter(Choice(50, text="never"))
        assert nothing is not None and not nothing(line)


def test_no_letter_is_missed_that_has_a_plain_one_in_it_without_its_case() -> None:
    blanks = " " * events_module._MANY
    letters = map(chr, (*range(0x80, 0xD800), *range(0xE000, 0x110000)))
    for letter in letters:
        for plain in (each for each in letter.casefold() if each.isascii()):
            assert events_module._may_have(plain.encode(), f"{letter}\u25cf{blanks}".encode()), letter
    assert not events_module._may_have(b"k", f"\u25cf \u00e9{blanks}".encode())
