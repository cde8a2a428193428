"""The engine's floating addresses on real interfaces: claimed, announced, yielded, adopted; real neighbours listen."""

import asyncio
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest

from piranha.config.load import load
from piranha.config.model import Address, Cluster
from piranha.ipvs.addresses import wanted_addresses
from piranha.ipvs.announcements import FINISHED, Carried
from piranha.ipvs.second_owners import FORGET_S
from piranha.paths import Paths
from piranha.pulse.floating import READ_AGAIN_S, Floating
from piranha.status import AddressState, AddressStatus
from piranha.system.arp import announce
from piranha.system.arp_frames import BROADCAST, announcements, claim_of, question
from tests.lab.capture import ETH_P_ALL, captured, changed, gone, held_by, watching
from tests.lab.topology import Host, Topology

VIP, VIP6 = ip_address("198.51.100.100"), ip_address("2001:db8:2::100")
WAIT_S = 10.0
_Answer = TypeVar("_Answer")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    found.run.mkdir(parents=True)
    return found


class Router:
    """A Floating that runs on a host: in a thread of its own that stands in the host's namespace."""

    def __init__(self, host: Host, paths: Paths) -> None:
        self.host = host
        self.ahead_s = 0.0
        """How far its clock is ahead."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name=f"router {host.name}")
        self._thread.start()
        self._floating = self.do(self._made(paths))
        self._running = asyncio.run_coroutine_threadsafe(self._floating.run(), self._loop)

    async def _made(self, paths: Paths) -> Floating:
        return Floating(paths, lambda: time.monotonic() + self.ahead_s)

    def _live(self) -> None:
        with self.host.inside():
            self._loop.run_forever()

    def do(self, what: Coroutine[Any, Any, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(WAIT_S)

    def follow(self, text: str) -> None:
        self.do(self._floating.follow(*wanted_addresses(cluster(text), {})))

    def skip(self, seconds: float) -> None:
        """Let time pass, between two things that it does."""
        self.do(self._skip(seconds))

    async def _skip(self, seconds: float) -> None:
        self.ahead_s += seconds
        self._skipped_at = time.monotonic() + self.ahead_s
        self._floating._woken.set()

    def has_done(self, what: str, where: object) -> bool:
        """Say whether something was done since it skipped some time."""
        done_at: float = getattr(where, what)
        return done_at >= self._skipped_at

    def standings(self) -> tuple[AddressStatus, ...]:
        return self._floating.standings()

    def troubles(self) -> tuple[str, ...]:
        return self._floating.troubles()

    def states(self) -> list[str]:
        return [str(each.state) for each in self.standings()]

    def stop(self, yields: bool) -> None:
        self.do(self._floating.stop(yields=yields))
        self._running.result(WAIT_S)
        self._end()

    def kill(self) -> None:
        """End without a last word, as `kill -9` does: what is open is closed and nothing else happens."""
        self._running.cancel()
        self.do(self._closed())
        self._end()

    async def _closed(self) -> None:
        self._floating._claims.close()
        self._floating._ear.close()
        self._floating._open().close()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()


@pytest.fixture
def router(lvs1: Host, paths: Paths) -> Iterator[Callable[[], Router]]:
    """Return what starts a router on the first one; each goes on with what the one before wrote down."""
    made: list[Router] = []

    def start() -> Router:
        made.append(Router(lvs1, paths))
        return made[-1]

    yield start
    for each in made:
        if each._thread.is_alive():
            each.stop(yields=True)


def cluster(text: str) -> Cluster:
    """Return a cluster for lines like `198.51.100.100 eth0:1 255.255.255.0`, a virtual server each."""
    blocks = []
    for number, line in enumerate(text.splitlines()):
        address, device, *mask = line.split()
        blocks.append(f"virtual v{number} {{\n active = 1\n address = {address} {device}\n port = 80\n")
        blocks += [f" vip_nmask = {each}\n" for each in mask] + ["}\n"]
    return load(f"service = lvs\nnetwork = direct\n{''.join(blocks)}").cluster


def until(is_so: Callable[[], bool]) -> float:
    """Wait until something is so; return how long it took. What is waited for happens in another thread."""
    began = time.monotonic()
    never = threading.Event()
    while not is_so():
        assert time.monotonic() - began < WAIT_S
        never.wait(0.005)
    return time.monotonic() - began


def shown(host: Host, device: str = "eth0") -> str:
    return host.run("ip", "addr", "show", "dev", device)


def mac(host: Host) -> bytes:
    return bytes.fromhex(host.mac("dmz").replace(":", ""))


def test_a_claim_asks_then_announces_at_0_1_2_3_4_s_and_every_neighbour_finds_the_address(
    lab: Topology, lvs1: Host, router: Callable[[], Router], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upstream = lab["upstream"]
    here = upstream.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with here, upstream.inside():
        here.bind((upstream.device("dmz"), ETH_P_ALL))
        here.settimeout(WAIT_S)
        one = router()
        one.follow(f"{VIP} eth0:1 255.255.255.0\n{VIP} eth0:1\n198.51.100.101 eth0:1 255.255.255.255\n{VIP6} eth0:1")
        heard: dict[bytes, list[float]] = {}
        until_finished = iter(lambda: FINISHED in caplog.messages, True)
        for _ in until_finished:
            if not select.select([here], [], [], 0.05)[0]:
                continue
            frame = here.recv(2048)
            if claimed_by(frame) in (VIP, VIP6) or frame[:6] == BROADCAST:
                heard.setdefault(frame, []).append(time.monotonic())
    question_at = heard[question(VIP, mac(lvs1))]
    request, reply = (heard[each] for each in announcements(VIP, mac(lvs1)))
    assert len(question_at) == 2
    assert max(question_at) < request[0]
    for times in (request, reply, *(heard[each] for each in announcements(VIP6, mac(lvs1), True))):
        assert len(times) == 5
        # Whole seconds behind the first one; the machine may be busy for a moment.
        assert all(abs(at - times[0] - second) < 0.9 for second, at in enumerate(times)), times
    assert caplog.messages.count(FINISHED) == 1
    for line in (
        "inet 198.51.100.100/24 brd 198.51.100.255 scope global secondary eth0:1\n",
        "inet 198.51.100.101/32 brd 198.51.100.101 scope global eth0:1\n",
        "inet6 2001:db8:2::100/128 scope global nodad deprecated noprefixroute \n",
    ):
        assert line in shown(lvs1)
    assert [(each.state, each.rounds) for each in one.standings()] == [(AddressState.CARRIED, 5)] * 3
    for address in (VIP, VIP6, "198.51.100.101"):
        lab["client"].run("ping", "-c", "1", "-W", "2", str(address))


def test_after_a_yield_there_is_no_address_and_not_one_more_frame(
    lab: Topology, lvs1: Host, router: Callable[[], Router]
) -> None:
    before = held_by(lvs1)
    with captured(lab["upstream"], lab["upstream"].device("dmz")) as capture:
        one = router()
        one.follow(f"{VIP} eth0:1\n{VIP6} eth0:1")
        assert len(capture.about(VIP, lvs1, "eth0")) >= 3
        one.stop(yields=True)
        assert held_by(lvs1) == before
        capture.about(VIP, lvs1, "eth0")
        # A round would be due within a second; so long nobody says a word.
        assert not {VIP, VIP6} & claimed_in(capture._socket, 1.2)


def claimed_by(frame: bytes) -> Address | None:
    claim = claim_of(frame)
    return claim[0] if claim is not None else None


def claimed_in(here: socket.socket, seconds: float) -> set[Address | None]:
    """Return what is claimed within some seconds."""
    found = set()
    ends_at = time.monotonic() + seconds
    while select.select([here], [], [], max(0, ends_at - time.monotonic()))[0]:
        found.add(claimed_by(here.recv(2048)))
    return found


def test_after_a_kill_the_next_run_adopts_the_addresses_without_a_gap_and_takes_away_what_is_past(
    lab: Topology, lvs1: Host, router: Callable[[], Router]
) -> None:
    lvs1.ip("addr add 203.0.113.9/32 dev eth0")
    before = held_by(lvs1)
    text = f"{VIP} eth0:1 255.255.255.0\n{VIP6} eth0:1"
    for _ in range(3):
        one = router()
        one.follow(f"{text}\n198.51.100.101 eth0:1")
        with watching(lvs1) as watch:
            one.kill()
            two = router()
            two.follow(f"{text}\n198.51.100.101 eth0:1")
            assert two.states() == ["carried"] * 3
            assert gone(lvs1, watch) == []
            two.kill()
            three = router()
            three.follow(text)
            assert gone(lvs1, watch) == ["198.51.100.101/32 on eth0"]
        three.stop(yields=True)
        assert held_by(lvs1) == before
    lvs1.ip("addr del 203.0.113.9/32 dev eth0")


def test_a_change_of_lvs_cf_adds_and_removes_exactly_what_changed(lvs1: Host, router: Callable[[], Router]) -> None:
    one = router()
    one.follow(f"{VIP} eth0:1\n198.51.100.101 eth0:2")
    with watching(lvs1) as watch:
        one.follow("198.51.100.101 eth0:2\n198.51.100.102 eth0:1\n10.9.0.100 eth1:1")
        said = changed(lvs1, watch)
    assert said == [
        ("198.51.100.102/32 on eth0", False),
        ("10.9.0.100/32 on eth1", False),
        ("198.51.100.100/32 on eth0", True),
    ]
    one.follow("")
    assert one.standings() == ()


def test_an_address_that_somebody_deletes_is_back_within_seconds(lvs1: Host, router: Callable[[], Router]) -> None:
    one = router()
    one.follow(f"{VIP} eth0:1 255.255.255.0\n{VIP6} eth0:1")
    claimed = held_by(lvs1)
    one.skip(1)
    lvs1.ip(f"addr del {VIP}/24 dev eth0", f"addr del {VIP6}/128 dev eth0")
    assert until(lambda: held_by(lvs1) == claimed) < 3
    until(lambda: one.states() == ["carried"] * 2)
    # The network's primary address takes ours along where nobody promotes secondaries.
    lvs1.sysctl("net.ipv4.conf.eth0.promote_secondaries", "0")
    own = f"{lvs1.address('dmz')}/24"
    lvs1.ip(f"addr del {own} dev eth0")
    assert until(lambda: f"inet {VIP}/24" in shown(lvs1)) < 3
    # It comes back in front of nothing: the router's own address stays the one that connections come from.
    lvs1.ip(f"addr add {own} dev eth0")
    until(lambda: f"inet {own} scope global eth0\n" in shown(lvs1))
    assert "scope global secondary eth0:1\n" in shown(lvs1)
    lvs1.ip(f"route add default via {lvs1.via[0].ipv4}.{lvs1.via[1]}")  # it went with the address


def test_another_router_that_has_the_address_is_shown_with_its_hardware_address_as_long_as_it_has_it(
    lab: Topology, lvs1: Host, router: Callable[[], Router], caplog: pytest.LogCaptureFixture
) -> None:
    other = lab["lvs2"]
    other.ip(f"addr add {VIP}/24 dev eth0")
    one = router()
    one.follow(f"{VIP} eth0:1\n198.51.100.101 eth0:1")
    conflict, fine = one.standings()
    assert (conflict.state, conflict.mac, fine.state) == (AddressState.CONFLICT, other.mac("dmz"), AddressState.CARRIED)
    assert caplog.messages == [conflict.sentence]
    assert str(VIP) in shown(lvs1)  # claimed all the same
    # It still answers, and is still shown; then it has the address no more.
    for _ in range(3):
        one.skip(FORGET_S / 2)
        until(lambda: one.has_done("heard_at", one._floating._claims.second_owner(Carried("eth0", VIP))))
    assert one.states() == ["conflict", "carried"]
    other.ip(f"addr del {VIP}/24 dev eth0")
    one.skip(FORGET_S)
    until(lambda: one.states() == ["carried"] * 2)
    # It comes back later, and says so.
    other.ip(f"addr add {VIP}/24 dev eth0")
    with other.inside():
        announce("eth0", [VIP])
    until(lambda: one.states() == ["conflict", "carried"])
    other.ip(f"addr del {VIP}/24 dev eth0")


def test_an_interface_that_comes_goes_and_comes_again_carries_its_addresses_and_announces_them(
    lvs1: Host, router: Callable[[], Router]
) -> None:
    one = router()
    one.follow(f"{VIP} dark0:1 255.255.255.0\n{VIP6} dark0:1")
    assert "There is no interface dark0 on this router." in one.standings()[0].sentence
    for _ in range(2):
        lvs1.ip("link add dark0 type veth peer name dark1", "link set dark1 up")
        with captured(lvs1, "dark1") as capture:
            lvs1.ip("link set dark0 up")
            took_s = until(lambda: one.states() == ["carried"] * 2 and all(each.rounds for each in one.standings()))
            assert took_s < 3
            assert {VIP, VIP6} <= claimed_in(capture._socket, 0.1)
        # Down, the interface loses its IPv6 addresses; up again, they are there and told of.
        lvs1.ip("link set dark0 down")
        until(lambda: all("dark0 is down" in each.sentence for each in one.standings()))
        with captured(lvs1, "dark1") as capture:
            lvs1.ip("link set dark0 up")
            assert {VIP, VIP6} <= claimed_in(capture._socket, 1.2)
        assert all(f" {each}/" in shown(lvs1, "dark0") for each in (VIP, VIP6))
        lvs1.ip("link del dark0")
        until(lambda: one.states() == ["refused"] * 2)


def test_what_is_not_permitted_is_said_once_and_done_when_it_is(
    lvs1: Host, router: Callable[[], Router], caplog: pytest.LogCaptureFixture
) -> None:
    one = router()
    os.seteuid(65534)
    try:
        one.follow(f"{VIP} eth0:1")
        for _ in range(3):
            one.skip(2 * READ_AGAIN_S)
            until(lambda: one.has_done("_read_at", one._floating))
        assert one.states() == ["refused"]
        assert "CAP_NET_ADMIN" in one.standings()[0].sentence
        assert one.troubles()  # nor can it be written down
    finally:
        os.seteuid(0)
    one.skip(READ_AGAIN_S)
    until(lambda: one.states() == ["carried"])
    until(lambda: one.troubles() == ())
    assert len([each for each in caplog.messages if "CAP_NET_ADMIN" in each]) == 1
