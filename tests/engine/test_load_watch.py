"""Asking for loads: each question on its rhythm, beside everything else."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from ipaddress import IPv4Address

import pytest

from piranha.config.model import Address, Cluster, HostName, RealServerKey
from piranha.engine.load_watch import AT_ONCE, LoadWatch
from piranha.health.load import Unread
from piranha.health.load_questions import EVERY_S, Question
from piranha.system.load_queries import NoAnswer

Answers = dict[str, float | Unread]


class Told:
    """What was heard, by the address of the real server, and when somebody hears anything."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.times = 0
        self.heard = asyncio.Event()

    def __call__(self, answers: Mapping[RealServerKey, float | Unread]) -> None:
        self.answers |= {str(key.address): answer for key, answer in answers.items()}
        self.times += 1
        self.heard.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                self.heard.clear()
                await self.heard.wait()


class Program:
    """Answers questions as the test says; `held` ones wait until they are told to stop."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.names: dict[Address, tuple[str, ...]] = {}
        self.held: set[str] = set()
        self.asked: list[str] = []
        self.run_as: dict[str, str] = {}
        self.running: set[str] = set()
        self.most = 0
        self.stopped: list[str] = []
        self.changed = threading.Condition()

    def ask(self, question: Question, stop: threading.Event, run_as: str) -> bytes:
        name = str(question)
        with self.changed:
            self.asked.append(name)
            self.run_as[name] = run_as
            self.running.add(name)
            self.most = max(self.most, len(self.running))
            self.changed.notify_all()
        try:
            if name in self.held:
                if not stop.wait(30):
                    raise AssertionError("nobody stopped it")
                with self.changed:
                    self.stopped.append(name)
                    self.changed.notify_all()
                raise NoAnswer("it was stopped")
            if name not in self.answers:
                raise NoAnswer("nobody is there")
            return self.answers[name].encode()
        finally:
            with self.changed:
                self.running.discard(name)

    async def until(self, is_so: Callable[[], bool]) -> None:
        def waited() -> None:
            with self.changed:
                assert self.changed.wait_for(is_so, 20)

        await asyncio.to_thread(waited)


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def down() -> set[str]:
    return set()


@pytest.fixture
async def watch(program: Program, told: Told, pauses: list[float], down: set[str]) -> AsyncIterator[LoadWatch]:
    """A watch that asks every question once, and then pauses for ever."""

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        found = LoadWatch(
            tasks,
            told,
            lambda key: str(key.address) in down,
            time.monotonic,
            ask=program.ask,
            names_of=lambda addresses, limit_s: {each: program.names.get(each, ()) for each in addresses},
            pause=pause,
        )
        yield found
        found.stop()


@pytest.fixture
def cluster(cluster_of: Callable[[str], Cluster], block: Callable[..., str]) -> Callable[..., Cluster]:
    """Return a function that makes a cluster of one virtual server with this load monitor."""
    return lambda monitor, *servers, head="": cluster_of(
        head + block("web", *servers, extra=f"load_monitor = {monitor}")
    )


async def test_without_a_load_monitor_nobody_is_asked(
    watch: LoadWatch, cluster_of: Callable[[str], Cluster], block: Callable[..., str]
) -> None:
    watch.watch(cluster_of(block("web", "a=10.0.0.1:80")), {})
    assert watch.questions == {}


async def test_the_answers_are_told(
    watch: LoadWatch, program: Program, told: Told, cluster: Callable[..., Cluster]
) -> None:
    program.answers["rup 10.0.0.1"] = "a  up 1 day, load 0.42 0.18 0.12\n"
    program.answers["rup 10.0.0.2"] = "nonsense"
    watch.watch(cluster("rup", "a=10.0.0.1:80", "b=10.0.0.2:80", "c=10.0.0.3:80"), {})
    await told.until(lambda: len(told.answers) == 3)
    assert told.answers == {
        "10.0.0.1": 0.42,
        "10.0.0.2": Unread('there is no load in its answer "nonsense"'),
        "10.0.0.3": Unread("nobody is there"),
    }


async def test_a_real_server_of_two_virtual_servers_is_asked_once(
    watch: LoadWatch, program: Program, told: Told, cluster_of: Callable[[str], Cluster], block: Callable[..., str]
) -> None:
    text = block("web", "a=10.0.0.1:80", extra="load_monitor = rup")
    text += block("ssl", "b=10.0.0.1:443", port=443, extra="load_monitor = rup")
    program.answers["rup 10.0.0.1"] = "load 0.42 0.18 0.12\n"
    watch.watch(cluster_of(text), {})
    await told.until(lambda: told.times == 1)
    assert program.asked == ["rup 10.0.0.1"]
    assert len(watch.questions[Question(("rup", "10.0.0.1"))]) == 2


RUPTIME = """web1          up    3+01:24,     0 users,  load  0.42,  0.18,  0.12
web-server-0  up    3+01:24,     0 users,  load  0.70,  0.18,  0.12
db            up    3+01:24,     0 users,  load  0.90,  0.18,  0.12
web2        down       1:07
"""


async def test_ruptime_finds_real_servers_by_host_name_by_the_names_of_their_address_and_by_their_name_in_lvs_cf(
    watch: LoadWatch, program: Program, told: Told, cluster: Callable[..., Cluster]
) -> None:
    program.answers["ruptime"] = RUPTIME
    program.names = {
        IPv4Address("10.0.0.1"): ("web1.example.com", "www"),
        IPv4Address("10.0.0.2"): ("web-server-02.example.com",),
        IPv4Address("10.0.0.9"): ("db",),
    }
    servers = ("x=10.0.0.1:80", "y=10.0.0.2:80", "z=web2:80", "db=10.0.0.3:80", "q=10.0.0.4:80", "r=other:80")
    # The name in lvs.cf is only a guess: where two real servers may be one host, nothing is guessed.
    watch.watch(cluster("ruptime", *servers), {HostName("other"): IPv4Address("10.0.0.5")})
    await told.until(lambda: len(told.answers) == 6)
    assert {address: load for address, load in told.answers.items() if isinstance(load, float)} == {
        "10.0.0.1": 0.42,
        "10.0.0.2": 0.7,
        "10.0.0.3": 0.9,
    }
    assert told.answers["web2"] == Unread("ruptime says that it is down")
    for address in ("10.0.0.4", "other"):
        unread = told.answers[address]
        assert isinstance(unread, Unread) and unread.reason.startswith("ruptime does not know this real server")
    assert program.asked == ["ruptime"]


async def test_real_servers_whose_names_ruptime_cuts_to_one_have_no_load(
    watch: LoadWatch, program: Program, told: Told, cluster: Callable[..., Cluster]
) -> None:
    program.answers["ruptime"] = RUPTIME
    watch.watch(cluster("ruptime", "a=web-server-01:80", "b=web-server-02:80"), {})
    await told.until(lambda: len(told.answers) == 2)
    (reason,) = {answer.reason for answer in told.answers.values() if isinstance(answer, Unread)}
    assert reason == "2 real servers may be the host that ruptime lists as web-server-0"


async def test_a_name_in_lvs_cf_is_no_reason_to_doubt_a_host_that_is_known(
    watch: LoadWatch, program: Program, told: Told, cluster: Callable[..., Cluster]
) -> None:
    program.answers["ruptime"] = RUPTIME
    program.names = {IPv4Address("10.0.0.1"): ("web1",)}
    watch.watch(cluster("ruptime", "other=10.0.0.1:80", "web1=10.0.0.2:80"), {})
    await told.until(lambda: len(told.answers) == 2)
    assert told.answers["10.0.0.1"] == 0.42
    assert isinstance(told.answers["10.0.0.2"], Unread)


async def test_programs_that_hang_delay_neither_the_loop_nor_the_threads_of_others(
    watch: LoadWatch, program: Program, cluster: Callable[..., Cluster]
) -> None:
    servers = [f"s{number}=10.0.0.{number}:80" for number in range(1, 3 * AT_ONCE)]
    program.held = {f"rup 10.0.0.{number}" for number in range(1, 3 * AT_ONCE)}
    watch.watch(cluster("rup", *servers), {})
    await program.until(lambda: len(program.running) == AT_ONCE)
    began = time.monotonic()
    for _ in range(20):
        assert await asyncio.to_thread(lambda: 1) == 1
    assert time.monotonic() - began < 5
    assert program.most == AT_ONCE


async def test_a_question_that_is_asked_no_more_stops_its_program(
    watch: LoadWatch, program: Program, cluster: Callable[..., Cluster]
) -> None:
    program.held = {"rup 10.0.0.1"}
    watch.watch(cluster("rup", "a=10.0.0.1:80"), {})
    await program.until(lambda: bool(program.running))
    watch.watch(cluster("none", "a=10.0.0.1:80"), {})
    await program.until(lambda: bool(program.stopped))
    assert program.stopped == ["rup 10.0.0.1"]


async def test_a_question_that_stays_keeps_its_rhythm(
    watch: LoadWatch, program: Program, told: Told, pauses: list[float], cluster: Callable[..., Cluster]
) -> None:
    program.answers["rup 10.0.0.1"] = "load 1.00"
    watch.watch(cluster("rup", "a=10.0.0.1:80"), {})
    await told.until(lambda: told.times == 1)
    watch.watch(cluster("rup", "a=10.0.0.1:80", "b=10.0.0.2:80"), {})
    await told.until(lambda: told.times == 2)
    assert program.asked == ["rup 10.0.0.1", "rup 10.0.0.2"]
    assert all(0.9 * EVERY_S - 5 < pause <= EVERY_S for pause in pauses)


async def test_a_server_that_is_down_is_not_asked(
    watch: LoadWatch, program: Program, told: Told, down: set[str], cluster: Callable[..., Cluster]
) -> None:
    down.add("10.0.0.1")
    program.answers["rup 10.0.0.2"] = "load 1.00"
    watch.watch(cluster("rup", "a=10.0.0.1:80", "b=10.0.0.2:80"), {})
    await told.until(lambda: told.times == 1)
    assert program.asked == ["rup 10.0.0.2"]


async def test_a_program_runs_as_the_user_that_policy_toml_names_for_it(
    watch: LoadWatch, program: Program, told: Told, cluster: Callable[..., Cluster]
) -> None:
    watch.run_as = {"/usr/bin/ssh": "loads", "rup": "other"}
    watch.watch(cluster("uptime", "a=10.0.0.1:80", head="rsh_command = /usr/bin/ssh\n"), {})
    await told.until(lambda: told.times == 1)
    assert list(program.run_as.values()) == ["loads"]
    watch.watch(cluster("ruptime", "a=10.0.0.1:80"), {})
    await told.until(lambda: told.times == 2)
    assert program.run_as["ruptime"] == ""


async def test_why_there_is_no_answer_is_logged_once(
    watch: LoadWatch, told: Told, cluster: Callable[..., Cluster], caplog: pytest.LogCaptureFixture
) -> None:
    watch.watch(cluster("rup", "a=10.0.0.1:80"), {})
    await told.until(lambda: told.times == 1)
    await watch._turn(Question(("rup", "10.0.0.1")))
    says = "The load is not known from `rup 10.0.0.1`: nobody is there."
    assert caplog.text.count(says) == 1
    watch.watch(cluster("none", "a=10.0.0.1:80"), {})
    watch.watch(cluster("rup", "a=10.0.0.1:80"), {})
    await told.until(lambda: told.times == 3)
    assert caplog.text.count(says) == 2
