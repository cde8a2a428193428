"""pulse as lvs sees it: told and asked, believed when it knows what it was told, given up in time when it is gone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from piranha.engine import pulse_link
from piranha.engine.pulse_link import HUNG_S, PulseLink
from piranha.pulse.messages import (
    Answer,
    Ask,
    Carried,
    Carry,
    Configure,
    Found,
    FromLvs,
    FromPulse,
    Moved,
    Moving,
    Shown,
    Stand,
    decode_from_lvs,
    encode,
)
from tests import pairs
from tests.pulse.a_moment import a_moment, until

PAIR = Configure(0, True, is_alone=False, keepalive_s=2.0, deadtime_s=5.0)
ALONE = Configure(0, True)
FOUND = Found(is_ready=True)


class Pulse:
    """A pulse that does what a test says. `answers`: it answers `Configure` and `Carry` by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[FromLvs] = []
        self.stand = Stand(0, 0, False, "passive")
        self.greets = self.answers = True
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._connected, str(self.path))

    async def stop(self) -> None:
        """Be gone, as after a kill."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)
            self._server = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def say(self, message: FromPulse) -> None:
        assert self._writer is not None
        self._writer.write(encode(message) + b"\n")

    def garbage(self) -> None:
        assert self._writer is not None
        self._writer.write(b"garbage\n")

    def of(self, kind: type) -> list[FromLvs]:
        return [each for each in self.heard if isinstance(each, kind)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        if self.greets:
            self.say(self.stand)
        while line := await reader.readline():
            message = decode_from_lvs(line)
            self.heard.append(message)
            if self.answers and isinstance(message, Configure):
                self.say(replace(self.stand, number=message.number))
            if self.answers and isinstance(message, Carry):
                self.say(Carried(message.number))
        writer.close()


class Scene:
    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.turned: list[bool] = []
        self.orphaned = 0
        self.pulse = Pulse(path)
        self.killed = 0
        self.link = PulseLink(path, lambda: self.now, lambda: FOUND, self._turned, self._orphaned, self._killed)

    def _turned(self) -> None:
        self.turned.append(self.link.standing.is_active)

    def _orphaned(self) -> None:
        self.orphaned += 1

    def _killed(self, connection: socket.socket) -> None:
        assert connection.family is socket.AF_UNIX
        self.killed += 1

    def silence(self, seconds: float) -> None:
        """Let so much time pass, with a look every half second."""
        for _ in range(round(2 * seconds)):
            self.now += 0.5
            self.link._kill_if_hung()

    async def there(self) -> None:
        """Wait for pulse's first word."""
        await self.link.there(10)

    async def gone(self) -> None:
        await self.pulse.stop()
        await until(lambda: self.link.is_lost)


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(pulse_link, "KNOCK_S", 0.002)
    made = Scene(tmp_path / "pulse.sock")
    await made.pulse.start()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.link.run(), name="pulse")
        yield made
        task.cancel()
    await made.pulse.stop()


@pytest.fixture
async def active(scene: Scene) -> Scene:
    """An active router of a pair."""
    await scene.there()
    scene.pulse.stand = Stand(0, 3, True)
    await scene.link.configure(PAIR)
    assert scene.link.standing.is_active
    return scene


async def test_until_pulse_was_heard_this_router_is_passive_and_waits_a_little(scene: Scene) -> None:
    scene.pulse.greets = False
    await scene.link.there(0.02)
    assert not scene.link.standing.is_active and "not heard yet" in scene.link.standing.reason
    assert scene.link.redundancy() is None and scene.link.addresses == ()


async def test_what_the_configuration_says_is_told_once_and_answered_with_the_standing(active: Scene) -> None:
    await active.link.configure(PAIR)
    (told,) = active.pulse.of(Configure)
    assert told == replace(PAIR, number=1)
    await active.link.configure(replace(PAIR, deadtime_s=6.0))
    assert len(active.pulse.of(Configure)) == 2


async def test_how_the_balancer_does_is_told_at_once(scene: Scene) -> None:
    await until(lambda: FOUND in scene.pulse.heard)


async def test_becoming_active_or_passive_wakes_the_balancer_and_nothing_else_does(active: Scene) -> None:
    before = len(active.turned)
    active.pulse.say(Stand(0, 3, True))
    active.pulse.say(Stand(0, 0, False, "passive"))
    await until(lambda: len(active.turned) > before)
    active.pulse.say(Stand(0, 0, False, "held"))
    await until(lambda: active.link.standing.reason == "held")
    assert active.turned[before:] == [False, False]


async def test_addresses_are_told_with_the_order_of_the_standing_and_only_if_they_are_news(active: Scene) -> None:
    await active.link.carry(Carry(0, 0, draining=("192.0.2.9",)), waits=True)
    await active.link.carry(Carry(0, 0, draining=("192.0.2.9",)), waits=True)
    (told,) = active.pulse.of(Carry)
    assert isinstance(told, Carry) and told.order == 3
    active.pulse.say(Stand(0, 5, True))
    await until(lambda: active.link._stand.order == 5)
    await active.link.carry(Carry(0, 0, draining=("192.0.2.9",)), waits=True)
    assert [each.order for each in active.pulse.of(Carry)] == [3, 5]  # type: ignore[union-attr]


async def test_what_is_not_waited_for_is_told_all_the_same(active: Scene) -> None:
    active.pulse.answers = False
    await active.link.carry(Carry(0, 0), waits=False)
    await until(lambda: active.pulse.of(Carry))


async def test_an_operators_question_gets_its_answer_and_no_other(active: Scene) -> None:
    asking = [asyncio.get_running_loop().create_task(active.link.ask(command)) for command in ("hand over", "hold")]
    await until(lambda: len(active.pulse.of(Ask)) == 2)
    for message in reversed(active.pulse.of(Ask)):
        assert isinstance(message, Ask)
        active.pulse.say(Answer(message.number, message.command == "hold", (f"about {message.command}",)))
    answers = [await each for each in asking]
    assert [(each.done, each.sentences) for each in answers] == [
        (False, ("about hand over",)),
        (True, ("about hold",)),
    ]


async def test_a_pulse_that_does_not_answer_is_not_waited_for_long(
    active: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pulse_link, "ANSWER_S", 0.02)
    answer = await active.link.ask("hold")
    assert not answer.done and "nothing was done" in answer.sentences[0] and "did not answer" in caplog.text


async def test_without_a_pulse_nothing_is_waited_for(active: Scene) -> None:
    await active.gone()
    assert not (await active.link.ask("hold")).done
    await active.link.configure(ALONE)
    await active.link.carry(Carry(0, 0), waits=True)


async def test_a_question_under_way_ends_with_pulse(active: Scene) -> None:
    asking = asyncio.get_running_loop().create_task(active.link.ask("hold"))
    await until(lambda: active.pulse.of(Ask))
    await active.pulse.stop()
    assert not (await asking).done


async def test_whoever_waits_for_pulse_can_be_cancelled(active: Scene) -> None:
    """The balancer's task is ended while it waits: it must not go on."""
    active.pulse.answers = False
    waiting = asyncio.get_running_loop().create_task(active.link.carry(Carry(0, 0, draining=("x",)), waits=True))
    await until(lambda: active.pulse.of(Carry))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_lost_pulse_changes_nothing_for_a_while(active: Scene) -> None:
    await active.gone()
    active.now += 2.0
    await a_moment(20)
    assert active.link.standing.is_active and active.orphaned == 0
    assert "nobody would take over" in active.link.troubles[0]
    await active.pulse.start()
    await until(lambda: not active.link.is_lost)
    assert active.link.standing.is_active and active.link.troubles == ()


async def test_a_killed_pulses_addresses_are_given_up_before_the_partner_takes_them(active: Scene) -> None:
    await active.gone()
    active.now += PAIR.deadtime_s - PAIR.keepalive_s  # the partner may have heard its last word keepalive ago
    await until(lambda: active.orphaned)
    assert not active.link.standing.is_active and active.turned[-1] is False
    active.now += 100
    await a_moment(20)
    assert active.orphaned == 1


async def test_a_router_alone_never_gives_its_addresses_up(active: Scene) -> None:
    await active.link.configure(ALONE)
    await active.gone()
    active.now += 10_000
    await a_moment(20)
    assert active.orphaned == 0 and active.link.standing.is_active


async def test_a_passive_router_has_nothing_to_give_up(scene: Scene) -> None:
    await scene.there()
    await scene.link.configure(PAIR)
    await scene.gone()
    scene.now += 10_000
    await a_moment(20)
    assert scene.orphaned == 0


async def test_pulses_that_come_and_die_at_once_give_no_more_time(active: Scene) -> None:
    await active.gone()
    active.pulse.greets = active.pulse.answers = False
    for _ in range(3):
        active.now += 1.0
        before = active.pulse.connections
        await active.pulse.start()
        await until(lambda before=before: active.pulse.connections > before)
        await active.pulse.stop()
    await until(lambda: active.orphaned)


async def test_a_pulse_that_accepts_and_says_nothing_gives_no_more_time(
    active: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await active.gone()
    monkeypatch.setattr(pulse_link, "FOUND_S", 0.002)
    active.pulse.greets = active.pulse.answers = False
    await active.pulse.start()
    await until(lambda: len(active.pulse.of(Configure)) == 2)
    active.now += PAIR.deadtime_s
    # The task that tells how the balancer does waits for its old pause first.
    await until(lambda: active.orphaned)


async def test_a_new_pulse_is_believed_when_it_knows_what_it_was_told(active: Scene) -> None:
    """Its first word is that it knows nothing; a table that went for that would take all connections along."""
    await active.gone()
    before = len(active.turned)
    active.pulse.answers, active.pulse.stand = False, Stand(0, 0, False, "Failover has not begun.")
    await active.pulse.start()
    await until(lambda: len(active.pulse.of(Configure)) == 2)
    await a_moment(20)
    assert active.link.standing.is_active and active.turned[before:] == []
    active.pulse.say(Stand(1, 1, True))
    await until(lambda: active.turned[before:])
    assert active.turned[before:] == [True] and not active.link.is_lost


async def test_a_new_pulse_that_understands_only_what_is_told_later_is_believed_then(active: Scene) -> None:
    await active.gone()
    active.pulse.answers = False
    await active.pulse.start()
    await until(lambda: len(active.pulse.of(Configure)) == 2)
    active.pulse.answers, active.pulse.stand = True, Stand(0, 0, False, "settling")
    await active.link.configure(replace(PAIR, deadtime_s=6.0))
    assert active.link.standing.reason == "settling"


async def test_a_pulse_that_came_back_is_told_the_addresses_anew(active: Scene) -> None:
    await active.link.carry(Carry(0, 0, draining=("192.0.2.9",)), waits=True)
    await active.gone()
    await active.pulse.start()
    await until(lambda: not active.link.is_lost)
    await active.link.carry(Carry(0, 0, draining=("192.0.2.9",)), waits=True)
    assert len(active.pulse.of(Carry)) == 2


async def test_garbage_costs_a_line_in_the_log(active: Scene, caplog: pytest.LogCaptureFixture) -> None:
    active.pulse.garbage()
    active.pulse.say(Stand(0, 0, False, "passive"))
    await until(lambda: not active.link.standing.is_active)
    assert "pulse said what lvs does not understand" in caplog.text


async def test_what_pulse_shows_is_told_with_its_age(active: Scene) -> None:
    active.pulse.say(Shown(active.now - 1.0, pairs.WELL, (), ("The addresses cannot be read.",)))
    await until(lambda: active.link.redundancy() is not None)
    active.now += 4.0
    told = active.link.redundancy()
    assert told is not None and told.age_s == 5.0 and active.link.troubles == ("The addresses cannot be read.",)


async def test_a_planned_move_goes_on_when_the_partner_was_told_of_connections_and_not_before(active: Scene) -> None:
    told = asyncio.Event()
    begun: list[str] = []

    async def tell() -> None:
        begun.append("told")
        await told.wait()

    active.link.moving = tell
    active.pulse.say(Moving(7))
    await until(lambda: begun)
    active.pulse.say(Stand(0, 0, False, "handing over"))
    await until(lambda: not active.link.standing.is_active)  # whatever pulse says meanwhile is heard
    assert active.pulse.of(Moved) == []
    told.set()
    await until(lambda: active.pulse.of(Moved))
    assert active.pulse.of(Moved) == [Moved(7)] and begun == ["told"]


async def test_a_link_that_nobody_gave_anything_to_do_answers_a_move_at_once(active: Scene) -> None:
    active.pulse.say(Moving(1))
    active.pulse.say(Moving(2))
    await until(lambda: len(active.pulse.of(Moved)) == 2)
    assert active.pulse.of(Moved) == [Moved(1), Moved(2)]


async def test_a_fault_while_connections_are_told_costs_one_move_and_not_the_link(
    active: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("the table is gone")

    async def succeed() -> None:
        pass

    active.link.moving = fail
    active.pulse.say(Moving(1))
    await until(lambda: "Telling the partner of connections failed by a fault of the engine" in caplog.text)
    active.link.moving = succeed
    active.pulse.say(Moving(2))
    await until(lambda: active.pulse.of(Moved))
    assert active.pulse.of(Moved) == [Moved(2)], "what was not done is not said to be"


async def test_a_pulse_that_is_gone_meanwhile_is_told_nothing_and_nor_is_the_next_one(active: Scene) -> None:
    told, done = asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        await told.wait()
        done.set()

    active.link.moving = tell
    active.pulse.say(Moving(3))
    active.pulse.say(Stand(0, 9, True))
    await until(lambda: active.link._stand.order == 9)
    await active.gone()
    told.set()
    await until(done.is_set)
    await active.pulse.start()
    await until(lambda: not active.link.is_lost)
    await until(lambda: active.pulse.heard[-1] == FOUND)
    await a_moment(20)
    assert active.pulse.of(Moved) == []


def shown(state: str) -> Shown:
    """Return what pulse shows of a partner in a state; "" of none."""
    partner = pairs.with_partner(state=state) if state else pairs.ALONE
    return Shown(1000.0, partner, ())


@pytest.fixture
async def came(active: Scene) -> list[str]:
    """What the link of an active router says of a partner that came: grows."""
    calls: list[str] = []

    async def tell() -> None:
        calls.append("came")

    active.link.partner_came = tell
    return calls


async def seen(scene: Scene, state: str) -> None:
    """Have pulse show a partner in a state, and wait until that has been acted on."""
    message = shown(state)
    scene.pulse.say(message)
    await until(lambda: scene.link._shown == message)
    await a_moment(5)


async def test_a_partner_is_told_of_all_connections_once_each_time_it_becomes_passive(
    active: Scene, came: list[str]
) -> None:
    for state, times in (
        ("settling", 0),
        ("passive", 1),
        ("passive", 1),
        ("unknown", 1),
        ("passive", 2),
        ("", 2),
        ("link fault", 2),
        ("passive", 3),
    ):
        await seen(active, state)
        assert len(came) == times, (state, came)


async def test_a_partner_that_is_passive_when_it_is_shown_first_is_told_of_all(active: Scene, came: list[str]) -> None:
    await seen(active, "passive")
    assert came == ["came"]


async def test_a_passive_router_tells_its_partner_nothing(active: Scene, came: list[str]) -> None:
    active.pulse.say(Stand(0, 0, False, "passive"))
    await until(lambda: not active.link.standing.is_active)
    await seen(active, "settling")
    await seen(active, "passive")
    assert came == []


async def test_what_is_to_be_done_later_is_done_later_and_once(active: Scene) -> None:
    done: list[float] = []
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def note() -> None:
        done.append(loop.time() - began)

    active.link.later(0.03, note)
    await a_moment(5)
    assert done == []
    await until(lambda: done)
    await a_moment(20)
    assert len(done) == 1 and done[0] >= 0.029


async def test_a_pulse_that_hangs_is_killed_before_its_partner_takes_over_and_wakes_into_nothing(active: Scene) -> None:
    active.silence(HUNG_S)
    assert (active.killed, active.orphaned) == (0, 0)
    active.silence(0.5)
    assert (active.killed, active.orphaned) == (1, 1)
    assert not active.link.standing.is_active and active.turned[-1] is False
    active.silence(60)
    assert active.killed == 1


async def test_a_pulse_that_says_something_does_not_hang(active: Scene) -> None:
    for _ in range(10):
        active.silence(HUNG_S - 0.5)
        shown = len(active.turned)
        active.pulse.say(Carried(0))
        await until(lambda: active.link._silent_s == 0)
        assert len(active.turned) == shown
    assert active.killed == 0


async def test_the_time_that_this_process_stood_still_itself_is_no_silence(active: Scene) -> None:
    active.now += 3600
    active.link._kill_if_hung()
    assert active.killed == 0


async def test_without_a_partner_a_pulse_that_hangs_keeps_its_addresses(scene: Scene) -> None:
    await scene.there()
    scene.pulse.stand = Stand(0, 3, True)
    await scene.link.configure(ALONE)
    scene.silence(600)
    assert (scene.killed, scene.orphaned) == (0, 0) and scene.link.standing.is_active


async def test_a_long_deadtime_leaves_a_pulse_as_long_as_it_may_be_lost(active: Scene) -> None:
    await active.link.configure(replace(PAIR, deadtime_s=20.0))
    active.silence(20 - 1.25 * 2)
    assert active.killed == 0
    active.silence(0.5)
    assert active.killed == 1
