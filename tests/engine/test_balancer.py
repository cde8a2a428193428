"""The balancer's turns, on a table and with checks that the test holds in its hand."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address

from piranha.config.model import Protocol
from piranha.engine import balancer as balancer_module
from piranha.engine.balancer import Balancer
from piranha.health.overrides import Override
from piranha.ipvs.table import Counters, RemoveDestination, TableKey


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
