"""What surrounds the balancer on a router: when pulse is told of the pair, and which addresses it is to carry."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from piranha.config.load import load
from piranha.config.model import Address, Cluster, HostName
from piranha.engine import router as router_module
from piranha.engine.role import Standing
from piranha.engine.router import AHEAD_MOST_S, ALL_AFTER_S, LOOKS_EVERY_S, MOVED_S, TABLE_STAYS_S, Router
from piranha.errors import PiranhaError
from piranha.pulse.messages import Carry, Configure

OWN, OTHER = ip_address("198.51.100.11"), ip_address("198.51.100.99")
PAIR = load(
    "service = lvs\nprimary = 198.51.100.11\nbackup_active = 1\nbackup = 198.51.100.12\nheartbeat_port = 539\n"
    "virtual web {\n    active = 1\n    address = 192.0.2.1 eth0:1\n}\n"
).cluster
NEXT = replace(PAIR, heartbeat_port=600)
PASSIVE, ACTIVE = Standing(False, "passive"), Standing(True)
NOTHING: Mapping[HostName, Address] = {}


class Link:
    """pulse, as far as the router tells it something."""

    def __init__(self) -> None:
        self.standing = PASSIVE
        self.troubles: tuple[str, ...] = ()
        self.later_s: list[float] = []
        self.told: list[Configure] = []
        self.carried: list[tuple[Carry, bool]] = []

    async def configure(self, told: Configure) -> None:
        self.told.append(told)

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        self.later_s.append(after_s)

    async def carry(self, carry: Carry, *, waits: bool) -> None:
        self.carried.append((carry, waits))


class Follower:
    """Settings of the kernel."""

    problems: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.followed: list[bool] = []
        self.restored = 0

    async def follow(self, cluster: Cluster, is_active: bool) -> None:
        self.followed.append(is_active)

    async def restore(self) -> None:
        self.restored += 1


class Scene:
    def __init__(self, paths, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.here: set[Address] = {OWN}
        self.trouble = ""
        monkeypatch.setattr(router_module, "monotonic", lambda: self.now)
        monkeypatch.setattr(router_module, "_addresses_here", self._here)
        self.router = Router(paths, SimpleNamespace(shares=True))
        self.link = self.router.link = Link()
        self.settings = self.router.settings = Follower()
        self.tuning = self.router.tuning = Follower()
        self.woken = 0
        self.balancer = SimpleNamespace(
            cluster=PAIR, standing=PASSIVE, draining_addresses=frozenset(), wake=self._wake, withdraw=self._withdraw
        )
        self.router._balancer = self.balancer
        self.withdrawn = 0

    def _here(self) -> set[Address]:
        if self.trouble:
            raise PiranhaError(self.trouble)
        return self.here

    def _wake(self) -> None:
        self.woken += 1

    async def _withdraw(self) -> None:
        self.withdrawn += 1

    def stands(self, standing: Standing) -> None:
        self.link.standing = self.balancer.standing = standing

    async def turn(self, carried: Cluster | None = None) -> None:
        await self.router._follow(self.balancer.cluster if carried is None else carried, NOTHING)


@pytest.fixture
def scene(paths, monkeypatch) -> Scene:
    return Scene(paths, monkeypatch)


async def test_pulse_is_told_of_the_pair_once(scene):
    for _ in range(3):
        await scene.turn()
    (told,) = scene.link.told
    assert told.is_primary and told.runs and not told.is_alone


async def test_an_active_router_is_told_which_addresses_to_carry_and_does_not_wait_for_it(scene):
    scene.stands(ACTIVE)
    await scene.turn()
    ((carry, waits),) = scene.link.carried
    assert [row.address for row in carry.wanted] == ["192.0.2.1"] and not waits
    assert scene.settings.followed == scene.tuning.followed == [True]


async def test_a_passive_router_waits_until_its_addresses_are_gone(scene):
    await scene.turn(Cluster())
    ((carry, waits),) = scene.link.carried
    assert carry.wanted == () and waits and scene.settings.followed == [False]


@pytest.mark.parametrize(("turn", "now"), [(PASSIVE, ACTIVE), (ACTIVE, PASSIVE)])
async def test_a_turn_that_was_made_for_another_standing_says_nothing_about_addresses(scene, turn, now):
    """A passive turn told under the order of a takeover would take away what a killed pulse had left to it."""
    scene.balancer.standing, scene.link.standing = turn, now
    await scene.turn(Cluster())
    assert scene.link.carried == []


async def test_draining_addresses_are_told_while_the_router_is_active(scene):
    scene.balancer.draining_addresses = frozenset({OTHER})
    await scene.turn(Cluster())
    scene.stands(ACTIVE)
    await scene.turn()
    assert [each.draining for each, _ in scene.link.carried] == [(), (str(OTHER),)]


async def test_a_passive_router_looks_for_its_address_now_and_then_and_an_active_one_does_not(scene):
    scene.here = {OTHER}
    await scene.turn()
    assert not scene.link.told[-1].runs
    scene.here = {OWN}
    scene.now += LOOKS_EVERY_S - 0.1
    await scene.turn()
    assert len(scene.link.told) == 1
    scene.now += 0.2
    await scene.turn()
    assert scene.link.told[-1].runs
    scene.stands(ACTIVE)
    scene.here = set()
    scene.now += 100
    await scene.turn()
    assert len(scene.link.told) == 2


async def test_what_will_run_is_not_undone_by_turns_of_what_still_runs(scene):
    await scene.turn()
    await scene.router.configure_ahead(NEXT, NOTHING)
    for _ in range(5):
        scene.now += 1.0
        await scene.turn()
    assert [each.port for each in scene.link.told] == [539, 600]
    scene.balancer.cluster = NEXT
    scene.stands(ACTIVE)
    await scene.turn()
    assert [each.port for each in scene.link.told] == [539, 600]


async def test_an_apply_that_failed_is_forgotten_after_a_while(scene):
    await scene.router.configure_ahead(NEXT, NOTHING)
    scene.now += AHEAD_MOST_S + 0.1
    await scene.turn()
    assert [each.port for each in scene.link.told] == [600, 539]


async def test_after_a_switch_the_router_looks_for_its_address_again(scene):
    await scene.router.configure_ahead(NEXT, NOTHING)
    scene.balancer.cluster = NEXT
    scene.now += LOOKS_EVERY_S + 0.1
    await scene.turn()
    assert len(scene.link.told) == 2


async def test_a_router_that_was_stopped_goes_on_telling_its_partner_that_it_does_not_take_over(scene):
    await scene.turn()
    scene.balancer.cluster = Cluster()
    await scene.turn(Cluster())
    told = scene.link.told[-1]
    assert not told.runs and not told.is_alone and told.channels == scene.link.told[0].channels


async def test_a_router_that_starts_stopped_runs_nothing(scene):
    scene.balancer.cluster = Cluster()
    await scene.turn()
    assert not scene.link.told[-1].runs


async def test_addresses_that_cannot_be_read_for_a_moment_change_nothing_and_are_read_again(scene):
    await scene.turn()
    scene.trouble = "The addresses cannot be read."
    scene.balancer.cluster = NEXT
    await scene.turn()
    assert scene.link.told[-1] == scene.link.told[0] and "cannot be read" in scene.router.notices()[0]
    scene.trouble = ""
    await scene.turn()
    assert scene.link.told[-1].port == 600 and scene.router.notices() == ()


async def test_addresses_that_cannot_be_read_at_the_start_make_it_passive_with_the_reason(scene):
    scene.trouble = "The addresses cannot be read."
    await scene.turn()
    assert not scene.link.told[-1].runs and "stays passive" in scene.link.told[-1].idle_reason


async def test_piranha_toml_that_has_errors_leaves_what_it_said_before(scene, paths):
    paths.piranha_toml.write_text("[failover]\nkeepalive = 0.5\ndeadtime = 2\n")
    await scene.turn()
    paths.piranha_toml.write_text("[failover]\nkeepalive = -1\n")
    scene.now += LOOKS_EVERY_S + 0.1
    await scene.turn()
    assert [each.keepalive_s for each in scene.link.told] == [0.5, 0.5] and "piranha.toml" in scene.router.notices()[0]
    paths.piranha_toml.unlink()
    scene.now += LOOKS_EVERY_S + 0.1
    await scene.turn()
    assert scene.link.told[-1].keepalive_s != 0.5 and scene.router.notices() == ()


async def test_what_pulse_says_wakes_the_balancer(scene):
    scene.router._turned()
    assert scene.woken == 1
    assert scene.router._standing(PAIR, NOTHING) is PASSIVE


async def test_a_stop_leaves_nothing_of_ours(scene):
    await scene.router.stop(scene.balancer)
    assert (scene.withdrawn, scene.settings.restored, scene.tuning.restored) == (1, 1, 1)


async def test_the_table_stays_for_a_moment_when_the_addresses_have_gone(scene):
    scene.link.standing = ACTIVE
    scene.router._turned()
    assert scene.woken == 1
    scene.link.standing = PASSIVE
    scene.router._turned()
    scene.router._turned()
    assert (scene.woken, scene.link.later_s) == (1, [TABLE_STAYS_S])
    assert scene.router._standing(PAIR, NOTHING).is_active
    scene.now += TABLE_STAYS_S
    assert scene.router._standing(PAIR, NOTHING) is PASSIVE


async def test_a_router_that_is_to_serve_again_does_not_wait(scene):
    for standing in (ACTIVE, PASSIVE, ACTIVE):
        scene.link.standing = standing
        scene.router._turned()
    assert scene.woken == 2 and scene.router._standing(PAIR, NOTHING) is ACTIVE
    scene.link.standing = PASSIVE
    assert scene.router._standing(PAIR, NOTHING) is PASSIVE


async def test_a_router_that_starts_has_no_table_to_stay(scene):
    scene.balancer.standing = ACTIVE
    scene.router._turned()
    assert scene.woken == 1 and scene.router._standing(PAIR, NOTHING) is PASSIVE


@pytest.mark.parametrize(("standing", "told"), [(ACTIVE, 1), (PASSIVE, 0)])
async def test_a_partner_that_came_is_told_of_all_connections_once_it_can_hear_them(scene, monkeypatch, standing, told):
    waits, tellings = [], []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        scene.link.standing = standing

    async def tell(cluster: Cluster) -> int:
        tellings.append(cluster)
        return 1

    scene.stands(ACTIVE)
    monkeypatch.setattr(router_module.asyncio, "sleep", sleep)
    monkeypatch.setattr(scene.router.resync, "tell_all", tell)
    await scene.router._tell_all_soon()
    assert waits == [ALL_AFTER_S] and len(tellings) == told


@pytest.mark.parametrize(("ago_s", "tellings"), [(1.0, 1), (MOVED_S, 0)])
async def test_a_stop_behind_a_move_tells_where_persistent_clients_belong(scene, monkeypatch, ago_s, tellings):
    told = []

    async def tell(cluster: Cluster) -> int:
        told.append(cluster)
        return 3

    monkeypatch.setattr(scene.router.resync, "tell_moving", tell)
    monkeypatch.setattr(scene.router.resync, "tell_templates", tell)
    await scene.router._tell_moving()
    assert told == [PAIR] and scene.link.later_s == [0.5, 2.0]
    scene.now += ago_s
    await scene.router.stop(scene.balancer)
    assert len(told) == 1 + tellings
