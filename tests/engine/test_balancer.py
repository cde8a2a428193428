"""The balancer's turns, on a table and with checks that the test holds in its hand."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from piranha.config.model import Cluster, Forwarding, Protocol
from piranha.engine import balancer as balancer_module
from piranha.engine.balancer import TURN_MOST_S, Balancer
from piranha.engine.role import ACTIVE, Standing
from piranha.engine.table_store import TableStore
from piranha.health import machine
from piranha.health.check import Verdict
from piranha.health.overrides import Override
from piranha.ipvs.drain import Draining
from piranha.ipvs.ownership import Owned
from piranha.ipvs.table import Counters, Destination, DestinationKey, Entry, RemoveDestination, Service, TableKey


async def settled(balancer: Balancer) -> None:
    """Wait until every watched server was heard of, then take the turn that follows from it."""
    while any(health.checked_at is None for health in balancer.nanny.healths.values()):
        balancer._heard.clear()
        await balancer._heard.wait()
    await balancer.turn()


async def test_a_server_gets_traffic_after_its_first_good_check_and_not_before(
    balancer, path, probes, cluster_of, block
):
    gate = probes.held["127.0.0.11:80"] = asyncio.Event()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert path.weights() == {}
    gate.set()
    await settled(balancer)
    assert path.weights() == {"127.0.0.11:80": 1}


async def test_a_failed_check_takes_one_server_out_and_touches_nothing_else(balancer, path, probes, cluster_of, block):
    probes.bad.add("127.0.0.12:80")
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
    await settled(balancer)
    assert path.weights() == {"127.0.0.11:80": 1}


def next_check(balancer, address: str, verdict: Verdict) -> None:
    """Have the checks of an address end so, until its state changes."""
    nanny = balancer.nanny
    for key, check in nanny.checks.items():
        row = None
        while str(key.address) == address and (row is None or not row.is_change):
            nanny._healths[key], row = machine.step(nanny.healths[key], verdict, check, 0.0)
            balancer._hear(key, nanny.healths[key], row if row.is_change else None)


async def test_a_server_that_fails_leaves_in_the_next_turn_and_comes_back_when_it_is_well(
    balancer, path, cluster_of, block
):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
    await settled(balancer)
    for verdict, weights in (
        (Verdict(False, "refused"), {"127.0.0.11:80": 1}),
        (Verdict(True, "answered"), {"127.0.0.11:80": 1, "127.0.0.12:80": 1}),
    ):
        await balancer.turn()
        next_check(balancer, "127.0.0.12", verdict)
        await balancer.turn()
        assert path.weights() == weights


async def test_while_nothing_changes_the_desired_table_is_not_reckoned_anew(
    balancer, path, cluster_of, block, monkeypatch
):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    reckoned = []
    desired = balancer_module.desired
    monkeypatch.setattr(balancer_module, "desired", lambda *words: reckoned.append(1) or desired(*words))
    for _ in range(3):
        await balancer.turn()
    assert len(reckoned) <= 1
    (key,) = path.entries
    path.entries[key] = Entry(path.entries[key].service, {})
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1}, "what somebody else took out is put back all the same"
    balancer.overrides = (Override(1, "drain", "", "127.0.0.11", 0, 0, "piranha", "", "2026-11-23T10:00:00+00:00"),)
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 0}


async def test_a_server_that_was_never_checked_stays_as_it_is_in_the_table_whatever_that_is(
    balancer, path, probes, cluster_of, block
):
    probes.held["127.0.0.11:80"] = asyncio.Event()
    key = TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), 80)
    place = DestinationKey(IPv4Address("127.0.0.11"), 80)
    for weight in (3, 5):
        path.entries[key] = Entry(Service("rr"), {place: Destination(Forwarding.NAT, weight)})
        if weight == 3:
            await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
        await balancer.turn()
        assert path.weights() == {"127.0.0.11:80": weight}


async def test_while_servers_wait_for_their_first_check_the_table_is_reckoned_once_too(
    balancer, path, probes, cluster_of, block, monkeypatch
):
    probes.held["127.0.0.11:80"] = asyncio.Event()
    web = TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), 80)
    place = DestinationKey(IPv4Address("127.0.0.11"), 80)
    path.entries[web] = Entry(Service("rr"), {place: Destination(Forwarding.NAT, 3)})
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await balancer.turn()
    reckoned, desired = [], balancer_module.desired
    monkeypatch.setattr(balancer_module, "desired", lambda *words: reckoned.append(1) or desired(*words))
    for _ in range(3):
        await balancer.turn()
    assert not reckoned
    path.entries[web] = Entry(Service("rr"), {place: Destination(Forwarding.NAT, 5)})
    await balancer.turn()
    assert len(reckoned) == 1 and path.weights()["127.0.0.11:80"] == 5


async def test_what_a_turn_did_is_told_without_reading_the_table_again(balancer, path, cluster_of, block, monkeypatch):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    readings = []
    present = path.present

    async def counted():
        readings.append(1)
        return await present()

    monkeypatch.setattr(path, "present", counted)
    next_check(balancer, "127.0.0.11", Verdict(False, "refused"))
    await balancer.turn()
    view = await balancer.recent_view()
    (entry,) = view.reading.table.values()
    assert not entry.destinations and view.left == () and len(readings) == 1
    path.refuses[next(iter(path.entries))] = "No."
    next_check(balancer, "127.0.0.11", Verdict(True, "answered"))
    await balancer.turn()
    view = await balancer.recent_view()
    assert len(view.left or ()) == 1 and len(readings) == 2
    path.unavailable = "The kernel does not answer."
    await balancer.turn()
    assert (await balancer.recent_view()).trouble == "The kernel does not answer."


async def test_a_turn_that_finds_everything_right_takes_no_step(balancer, path, cluster_of, block):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    path.taken.clear()
    await balancer.turn()
    assert path.taken == []


async def test_a_removed_server_drains_and_leaves_when_it_is_empty(balancer, path, cluster_of, block):
    both = cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80"))
    await balancer.switch(both)
    await settled(balancer)
    (key,) = path.entries
    (place,) = [each for each in path.entries[key].destinations if str(each) == "127.0.0.12:80"]
    path.counters[key, place] = Counters(active_connections=3)
    steps = await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 0}
    assert [told.impact for told in steps] == ["3 connections: drains, at most 300 s"]
    path.counters[key, place] = Counters()
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1}


async def test_a_server_that_comes_back_while_it_drains_is_a_server_again(balancer, path, cluster_of, block):
    both = cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80"))
    await balancer.switch(both)
    await settled(balancer)
    (key,) = path.entries
    path.counters.update({(key, place): Counters(active_connections=1) for place in path.entries[key].destinations})
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await balancer.switch(both)
    await settled(balancer)
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 1}


async def test_removal_at_once_ends_the_connections(balancer, path, cluster_of, block):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
    await settled(balancer)
    (key,) = path.entries
    path.counters.update({(key, place): Counters(active_connections=1) for place in path.entries[key].destinations})
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")), removes_at_once=True)
    (removal,) = [step for step in path.taken if isinstance(step, RemoveDestination)]
    assert str(removal.destination_key) == "127.0.0.12:80" and removal.ends_connections


async def test_servers_that_are_all_replaced_are_checked_before_the_old_ones_stop(
    balancer, path, probes, cluster_of, block
):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    gate = probes.held["127.0.0.21:80"] = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        switching = tasks.create_task(balancer.switch(cluster_of(block("web", "new=127.0.0.21:80"))))
        while "127.0.0.21:80" not in probes.asked:
            await _let_others_run()
        await balancer.turn()
        assert path.weights() == {"127.0.0.11:80": 1} and not switching.done()
        gate.set()
    await balancer.turn()
    assert path.weights() == {"127.0.0.21:80": 1}
    assert all(_somebody_served(path.taken, upto) for upto in range(2, len(path.taken) + 1))


async def test_a_new_server_that_is_not_needed_is_not_waited_for(balancer, path, probes, cluster_of, block):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    probes.held["127.0.0.21:80"] = asyncio.Event()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "new=127.0.0.21:80")))
    assert path.weights() == {"127.0.0.11:80": 1}
    probes.held["127.0.0.21:80"].set()


async def test_reordering_and_renaming_blocks_is_no_change(balancer, path, cluster_of, block):
    one = block("web", "a=127.0.0.11:80", port=80) + block("api", "b=127.0.0.12:80", port=81)
    other = block("api2", "bb=127.0.0.12:80", port=81) + block("web2", "aa=127.0.0.11:80", port=80)
    await balancer.switch(cluster_of(one))
    await settled(balancer)
    path.taken.clear()
    await balancer.switch(cluster_of(other))
    assert path.taken == []


async def test_a_drain_by_hand_survives_a_switch(balancer, path, cluster_of, block):
    balancer.overrides = (Override(1, "drain", "", "127.0.0.12", 0, 0, "piranha", "", "2026-01-01T00:00:00+00:00"),)
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80*5")))
    await settled(balancer)
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 0}
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80*2", "b=127.0.0.12:80*9")))
    assert path.weights() == {"127.0.0.11:80": 2, "127.0.0.12:80": 0}


async def test_a_refused_service_is_told_and_the_others_are_served(balancer, path, cluster_of, block):
    text = block("web", "a=127.0.0.11:80", port=80) + block("api", "b=127.0.0.12:80", port=81)
    before = await balancer.preview(cluster_of(text))
    assert "add virtual server TCP 127.0.0.2:80" in before.steps[0].step
    refused = TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), 80)
    path.refuses[refused] = "port 80 needs privileges"
    await balancer.switch(cluster_of(text))
    await settled(balancer)
    assert path.weights() == {"127.0.0.12:80": 1}
    assert (await balancer.view()).refused == {refused: "port 80 needs privileges"}
    path.refuses.clear()
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 1}


async def test_a_plan_that_takes_all_traffic_away_is_objected_to(balancer, cluster_of, block):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    assert "all traffic away" in ((await balancer.preview(cluster_of(""))).objection or "")
    assert (await balancer.preview(cluster_of(block("web", "new=127.0.0.21:80")))).objection is None


async def _let_others_run() -> None:
    """Give every task that is ready one go."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await done.wait()


def _somebody_served(taken: list, upto: int) -> bool:
    """Say whether some destination had weight after the first `upto` steps."""
    weights: dict[Callable, int] = {}
    for step in taken[:upto]:
        if hasattr(step, "destination"):
            weights[step.destination_key] = step.destination.weight
        elif isinstance(step, RemoveDestination):
            weights.pop(step.destination_key, None)
    return any(weights.values())


async def test_new_servers_are_awaited_too_where_the_one_that_stays_gets_no_new_connections(
    balancer, path, probes, cluster_of, block
):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    probes.held["127.0.0.12:80"] = asyncio.Event()
    asyncio.get_running_loop().call_soon(probes.held["127.0.0.12:80"].set)
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80*0", "b=127.0.0.12:80")))
    assert path.weights() == {"127.0.0.11:80": 0, "127.0.0.12:80": 1}


async def test_an_apply_does_not_wait_for_new_servers_longer_than_others_can_wait_for_it(
    balancer, path, probes, cluster_of, block, monkeypatch
):
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    probes.held["127.0.0.12:80"] = asyncio.Event()
    monkeypatch.setattr(balancer_module, "FIRST_CHECKS_S", 0.0)
    slow = block("web", "b=127.0.0.12:80").replace("timeout = 2", "timeout = 600")
    async with asyncio.timeout(5):
        await balancer.switch(cluster_of(slow))
    assert path.weights() == {}


async def test_a_name_that_is_found_later_is_used_without_an_apply(balancer, path, cluster_of, block, monkeypatch):
    known: dict[str, IPv4Address] = {}

    async def resolve(names):
        return {name: known[name] for name in names if name in known}

    monkeypatch.setattr(balancer_module, "resolve", resolve)
    await balancer.switch(cluster_of(block("web", "a=late.example:80")))
    await balancer.resolve_missing()
    await balancer.turn()
    assert path.weights() == {}
    known["late.example"] = IPv4Address("127.0.0.12")
    await balancer.resolve_missing()
    await settled(balancer)
    assert path.weights() == {"127.0.0.12:80": 1}


async def test_what_the_data_path_does_not_serve_is_logged_once_and_when_it_is_served_again(
    balancer, path, cluster_of, block, caplog
):
    caplog.set_level("INFO", logger="lvs")
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    (key,) = path.entries
    path.refused[key] = "Address 127.0.0.2 is not on this machine."
    await balancer.turn()
    await balancer.turn()
    path.refused.clear()
    await balancer.turn()
    await balancer.turn()
    assert caplog.messages == ["Address 127.0.0.2 is not on this machine.", "TCP 127.0.0.2:80 is served now."]


# A table that others use too

WEB = TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), 80)
OTHERS = TableKey(Protocol.TCP, IPv4Address("127.0.0.9"), 443)


def place(written: str) -> DestinationKey:
    address, _, port = written.partition(":")
    return DestinationKey(IPv4Address(address), int(port))


def entry(**weights: int) -> Entry:
    """Return a service of rr with destinations 127.0.0.N:80 given as `aN=weight`."""
    found = {place(f"127.0.0.{name[1:]}:80"): Destination(Forwarding.NAT, weight) for name, weight in weights.items()}
    return Entry(Service("rr"), found)


class Shared:
    """Makes balancers, one after the other, on one table that stays; each is an engine that was started."""

    def __init__(self, path, paths, probes, tasks):
        self.path, self.paths, self.probes, self.tasks = path, paths, probes, tasks
        self.standing = ACTIVE
        self.followed: list[list[str]] = []
        self.balancers: list[Balancer] = []

    def start(self) -> Balancer:
        for before in self.balancers:
            before.nanny.stop()
        found = Balancer(
            self.path,
            self.tasks,
            asyncio.get_running_loop().time,
            self.probes,
            store=TableStore(self.paths),
            standing_in=lambda cluster, resolved: self.standing,
            after_turn=self.follow,
        )
        self.balancers.append(found)
        return found

    async def follow(self, cluster: Cluster, resolved: object) -> None:
        self.followed.append([virtual.name for virtual in cluster.virtual_servers])


@pytest.fixture
async def shared(path, paths, probes):
    path.shares = True
    async with asyncio.TaskGroup() as tasks:
        found = Shared(path, paths, probes, tasks)
        yield found
        for balancer in found.balancers:
            balancer.nanny.stop()


async def test_others_entries_are_touched_by_no_step(shared, path, cluster_of, block):
    path.entries = {OTHERS: entry(a99=5), WEB: entry(a98=0, a11=7)}
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    assert path.entries == {OTHERS: entry(a99=5), WEB: entry(a98=0, a11=1)}
    await balancer.switch(cluster_of(""))
    await balancer.turn()
    assert path.entries == {OTHERS: entry(a99=5), WEB: entry(a98=0)}


async def test_a_service_that_was_made_by_others_and_is_in_lvs_cf_is_ours(shared, path, cluster_of, block):
    path.entries = {WEB: entry(a11=7)}
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    await balancer.switch(cluster_of(""))
    await balancer.turn()
    assert path.entries == {}


async def test_an_engine_that_starts_takes_the_table_over_as_it_is(shared, path, probes, cluster_of, block):
    text = block("web", "a=127.0.0.11:80*3", "b=127.0.0.12:80*3")
    before = shared.start()
    await before.switch(cluster_of(text))
    await settled(before)
    path.taken.clear()
    probes.held = {f"127.0.0.{number}:80": asyncio.Event() for number in (11, 12)}
    after = shared.start()
    async with asyncio.timeout(5):
        await after.switch(cluster_of(text))
    assert path.taken == []
    probes.bad.add("127.0.0.12:80")
    for gate in probes.held.values():
        gate.set()
    await settled(after)
    assert path.weights() == {"127.0.0.11:80": 3}


async def test_a_quiesced_server_stays_quiesced_after_a_restart(shared, path, probes, cluster_of, block):
    text = block("web", "a=127.0.0.11:80", "b=127.0.0.12:80", extra="quiesce_server = 1")
    path.entries = {WEB: entry(a11=1, a12=0)}
    probes.bad.add("127.0.0.12:80")
    balancer = shared.start()
    await balancer.switch(cluster_of(text))
    await settled(balancer)
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 0}


async def test_what_a_former_configuration_of_ours_left_drains(shared, path, cluster_of, block):
    before = shared.start()
    await before.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
    await settled(before)
    path.counters[WEB, place("127.0.0.12:80")] = Counters(active_connections=1)
    after = shared.start()
    await after.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 0}
    again = shared.start()
    await again.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 0}
    path.counters.clear()
    await again.turn()
    assert path.weights() == {"127.0.0.11:80": 1}


async def test_a_restart_gives_a_drain_no_more_time(shared, path, cluster_of, block):
    text = block("web", "a=127.0.0.11:80")
    path.entries = {WEB: entry(a11=1, a12=0)}
    path.counters[WEB, place("127.0.0.12:80")] = Counters(active_connections=1)
    ends_at = asyncio.get_running_loop().time() + 7
    drain = Draining(WEB, place("127.0.0.12:80"), Forwarding.NAT, Service("rr"), ends_at, ends_at)
    await TableStore(shared.paths).keep(draining=[drain], owned=Owned(frozenset({WEB}), frozenset({drain.place})))
    balancer = shared.start()
    await balancer.switch(cluster_of(text))
    assert (await balancer.view()).draining == (drain,)


async def test_until_it_is_known_what_runs_the_table_stays_as_it_is(shared, path, cluster_of, block):
    before = shared.start()
    await before.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(before)
    after = shared.start()
    await after.turn()
    assert path.weights() == {"127.0.0.11:80": 1}
    after.begin()
    await after.turn()
    assert path.entries == {}


async def test_an_engine_that_starts_without_a_resolver_knows_the_names_of_the_former_one(
    shared, path, cluster_of, block, monkeypatch
):
    known = {"a.example": IPv4Address("127.0.0.11")}

    async def resolve(names):
        return {name: known[name] for name in names if name in known}

    monkeypatch.setattr(balancer_module, "resolve", resolve)
    text = block("web", "a=a.example:80")
    before = shared.start()
    await before.switch(cluster_of(text))
    await settled(before)
    known.clear()
    path.taken.clear()
    after = shared.start()
    await after.switch(cluster_of(text))
    await settled(after)
    assert path.weights() == {"127.0.0.11:80": 1} and path.taken == []


async def test_a_removed_server_has_weight_0_before_it_goes(shared, path, cluster_of, block):
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
    await settled(balancer)
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 0}
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1}


async def test_without_its_memory_an_engine_leaves_what_lvs_cf_does_not_name(shared, path, paths, cluster_of, block):
    path.entries = {WEB: entry(a11=1, a12=1)}
    (paths.run / "ipvs-table.json").write_text("broken")
    balancer = shared.start()
    assert "cannot be used" in balancer.notices[0]
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1, "127.0.0.12:80": 1}


async def test_what_is_ours_is_on_the_disk_before_the_first_step(shared, path, paths, cluster_of, block):
    known: list[bool] = []
    take = path.apply_many

    async def watched(steps):
        known.extend(WEB in TableStore(paths).memory.owned.services for _ in steps)
        return await take(steps)

    path.apply_many = watched
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert known == [True]


async def test_an_operators_stop_takes_ours_away_and_nothing_else(shared, path, paths, cluster_of, block):
    path.entries = {OTHERS: entry(a99=5)}
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80") + block("api", "a=127.0.0.11:80", port=81)))
    await settled(balancer)
    path.entries[WEB] = Entry(
        path.entries[WEB].service, {**path.entries[WEB].destinations, **entry(a98=0).destinations}
    )
    await balancer.withdraw()
    assert path.entries == {OTHERS: entry(a99=5), WEB: entry(a98=0)}
    assert TableStore(paths).memory.owned.places == frozenset()


async def test_a_table_that_cannot_be_read_is_said_once_and_the_status_goes_on(shared, path, cluster_of, block, caplog):
    caplog.set_level("INFO", logger="lvs")
    path.unavailable = "This kernel has no IPVS."
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await balancer.turn()
    view = await balancer.view()
    assert (view.trouble, view.reading.table) == ("This kernel has no IPVS.", {})
    assert balancer.notices == ("This kernel has no IPVS.",)
    assert caplog.messages == ["This kernel has no IPVS."]
    path.unavailable = ""
    await settled(balancer)
    assert path.weights() == {"127.0.0.11:80": 1}
    assert balancer.notices == ()


async def test_a_passive_router_checks_and_programs_nothing(shared, path, cluster_of, block, caplog):
    path.entries = {OTHERS: entry(a99=5)}
    shared.standing = Standing(False, "This router is the backup and stays passive.")
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    assert path.entries == {OTHERS: entry(a99=5)}
    assert (await balancer.view()).target.table == {}
    assert balancer.notices == ("This router is the backup and stays passive.",)
    assert caplog.messages.count("This router is the backup and stays passive.") == 1
    assert shared.followed[-1] == []


async def test_a_router_that_becomes_passive_gives_up_its_addresses_first(shared, path, cluster_of, block):
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    seen: list[bool] = []

    async def follow(cluster, resolved):
        seen.append(WEB in path.entries)

    balancer._after_turn = follow
    shared.standing = Standing(False, "passive")
    await balancer.turn()
    assert seen == [True] and path.entries == {}


async def test_addresses_follow_when_the_servers_are_in_the_table(shared, path, probes, cluster_of, block):
    gate = probes.held["127.0.0.11:80"] = asyncio.Event()
    balancer = shared.start()
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await balancer.turn()
    assert shared.followed == []
    gate.set()
    await settled(balancer)
    assert shared.followed == [["web"]] and path.weights() == {"127.0.0.11:80": 1}


async def test_a_verdict_that_comes_during_a_turn_brings_no_address_before_the_table_knows_it(
    shared, path, probes, cluster_of, block
):
    gate = probes.held["127.0.0.11:80"] = asyncio.Event()
    balancer = shared.start()
    take = path.apply_many

    async def slow(steps):
        gate.set()
        while any(health.checked_at is None for health in balancer.nanny.healths.values()):
            await _let_others_run()
        return await take(steps)

    path.apply_many = slow
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    assert path.weights() == {} and shared.followed == []


async def test_the_same_refusal_of_many_services_is_logged_once(shared, path, cluster_of, block, caplog):
    text = block("web", "a=127.0.0.11:80", port=80) + block("api", "b=127.0.0.12:80", port=81)
    path.refuses = {TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), port): "no IPVS" for port in (80, 81)}
    balancer = shared.start()
    await balancer.switch(cluster_of(text))
    await balancer.turn()
    assert caplog.messages == ["no IPVS"]
    assert len((await balancer.view()).refused) == 2


async def test_at_a_takeover_the_table_is_filled_before_it_is_read_and_written_down(
    balancer, path, cluster_of, block, monkeypatch
):
    path.shares = True
    standing = Standing(False, "passive")
    balancer._standing_in = lambda cluster, resolved: standing
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    assert path.weights() == {}
    present, readings = path.present, []

    async def reading():
        readings.append(path.weights())
        return await present()

    monkeypatch.setattr(path, "present", reading)
    standing = Standing(True)
    balancer._woken.clear()
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1} and readings == []
    assert balancer._store.memory.owned.places == frozenset()
    assert balancer._woken.is_set(), "another turn compares with what is there"
    await balancer.turn()
    assert readings == [{"127.0.0.11:80": 1}]
    assert len(balancer._store.memory.owned.places) == 1


async def test_at_a_takeover_behind_a_long_pause_the_table_is_read(balancer, path, cluster_of, block):
    standing = Standing(False, "passive")
    balancer._standing_in = lambda cluster, resolved: standing
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80")))
    await settled(balancer)
    balancer._last = replace(balancer._last, read_at=balancer._last.read_at - TURN_MOST_S - 1)
    key = TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), 80)
    path.entries[key] = Entry(Service("rr"), {})
    standing = Standing(True)
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1}
