"""A part of the status: what is chosen, how many there are, and that nothing is cut in silence."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.engine.caller import Caller
from piranha.engine.connections import QueryRefused
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.parts import TEXT_MAX, Asked, Chooser, asked_of, shares
from piranha.engine.service import Engine
from piranha.health.check import Verdict
from piranha.health.machine import step
from piranha.ipvs.table import Counters
from piranha.messages import ApplyRequest, OverrideRequest
from piranha.monitoring import SERVERS_SHOWN, TROUBLE, VIRTUAL_SERVERS_SHOWN, StatusQuery
from piranha.router_status import Counts
from piranha.status import AddressState, AddressStatus, EngineStatus

ANN = Caller("ann")


def farm(block, virtuals: int = 30, servers: int = 8) -> str:
    """Return that many virtual servers `web1`, `web2`, ... on ports from 8001, each with servers `s1`, `s2`, ..."""
    return "".join(
        block(
            f"web{number}",
            *(f"s{each}=10.0.{number}.{each}:80" for each in range(1, servers + 1)),
            port=8000 + number,
        )
        for number in range(1, virtuals + 1)
    )


@pytest.fixture
def start(paths, balancer, probes, block):
    """Start an engine on a text and wait until everything was checked."""

    async def started(text: str) -> Engine:
        paths.lvs_cf.write_text(text)
        engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
        await engine.start()
        await checked(balancer)
        return engine

    return started


async def checked(balancer) -> None:
    while any(health.checked_at is None for health in balancer.nanny.healths.values()):
        balancer._heard.clear()
        await balancer._heard.wait()
    await balancer.turn()


def checked_as(balancer, address: str, verdict: Verdict) -> None:
    """Have the next checks of an address end so, until its state changes."""
    nanny = balancer.nanny
    for key, check in nanny.checks.items():
        row = None
        while str(key.address) == address and (row is None or not row.is_change):
            nanny._healths[key], row = step(nanny.healths[key], verdict, check, 0.0)
            balancer._hear(key, nanny.healths[key], row if row.is_change else None)


def names(status: EngineStatus) -> list[str]:
    return [each.name for each in status.virtual_servers]


def rows(status: EngineStatus, place: int = 0) -> list[str]:
    return [each.name for each in status.virtual_servers[place].servers]


@given(st.lists(st.integers(0, 200), max_size=60), st.integers(1, 300))
def test_shares_use_the_budget_equally_and_give_each_something(sizes: list[int], budget: int) -> None:
    found = shares(sizes, budget)
    assert all(share <= size for share, size in zip(found, sizes, strict=True))
    assert all(share >= 1 for share, size in zip(found, sizes, strict=True) if size)
    assert sum(found) <= max(budget, len(sizes))
    cut = [share for share, size in zip(found, sizes, strict=True) if share < size]
    if cut:
        assert sum(found) >= min(budget, sum(sizes)) - len(sizes), "what somebody could use is given to him"
        assert max(found) - min(cut) <= max(1, min(cut)), "nobody has much more than one who was cut"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"only": "good"}, "only"),
        ({"first": "0"}, "first"),
        ({"first": "-1"}, "first"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"servers": "٣"}, "servers"),
        ({"text": "x" * (TEXT_MAX + 1)}, "text"),
    ],
)
def test_a_question_that_is_not_understood_names_its_field(query: dict[str, str], field: str) -> None:
    with pytest.raises(QueryRefused) as refused:
        asked_of(StatusQuery(**query))
    assert refused.value.keyword == field


def test_no_question_is_the_whole_and_any_other_a_part() -> None:
    assert asked_of(StatusQuery()) is None
    assert asked_of(StatusQuery(first="1")) == Asked("", "", False, 1, VIRTUAL_SERVERS_SHOWN, SERVERS_SHOWN)
    assert asked_of(StatusQuery(text="  WEB  1 ", only=TROUBLE)) == Asked(text="web 1", is_trouble=True)


async def test_a_page_says_which_and_of_how_many(start, block):
    engine = await start(farm(block))
    status = await engine.status(Asked())
    assert names(status) == [f"web{number}" for number in range(1, 21)]
    assert status.part is not None and (status.part.first, status.part.matching) == (1, 30)
    assert status.counts == Counts(virtual_servers=30, servers=240, up=240)
    assert [len(each.servers) for each in status.virtual_servers] == [5] * 20
    assert {(each.first, each.matching, each.counts.servers, each.counts.up) for each in status.virtual_servers} == {
        (1, 8, 8, 8)
    }
    status = await engine.status(Asked(first=21))
    assert names(status) == [f"web{number}" for number in range(21, 31)]
    assert [len(each.servers) for each in status.virtual_servers] == [8] * 10, "ten have room for all of theirs"
    status = await engine.status(Asked(first=999))
    assert status.part is not None and (names(status), status.part.first) == (["web30"], 30)


async def test_the_part_says_of_each_server_what_the_whole_says(start, block, probes):
    probes.bad.add("10.0.1.3:80")
    engine = await start(farm(block, 2, 4))
    whole = await engine.status()
    part = await engine.status(Asked())
    said = {each.path: each for virtual in whole.virtual_servers for each in virtual.servers}
    found = [each for virtual in part.virtual_servers for each in virtual.servers]
    assert len(found) == 8 == len(said)
    for each in found:
        like = said[each.path]
        assert replace(each, health=like.health, traffic=like.traffic) == like
        assert (each.health.state, each.traffic.weight) == (like.health.state, like.traffic.weight)
    assert whole.part is None and whole.counts == part.counts == Counts(2, 0, 8, 7, 1)


async def test_what_is_not_well_comes_first_where_not_all_are_told(start, block, probes, balancer):
    probes.bad |= {"10.0.3.7:80", "10.0.3.8:80"}
    engine = await start(farm(block))
    await engine.override(OverrideRequest("virtual[web3].server[s6]", "drain"), ANN)
    status = await engine.status(Asked())
    assert rows(status, 2) == ["s6", "s7", "s8", "s1", "s2"]
    assert status.virtual_servers[2].counts == Counts(1, 0, 8, 6, 2, drained=1)
    assert (status.counts.down, status.counts.drained) == (2, 1)


async def test_only_what_is_not_well(start, block, probes):
    probes.bad.add("10.0.7.2:80")
    engine = await start(farm(block))
    await engine.override(OverrideRequest("10.0.9.4", "weight", 3), ANN)
    address = AddressStatus("127.0.0.2/32", "lo", "lo:1", "virtual[web12]", AddressState.REFUSED, "No lo here.")
    status = await engine.status(Asked(is_trouble=True))
    assert names(status) == ["web7", "web9"]
    assert (rows(status, 0), rows(status, 1)) == (["s2"], ["s4"])
    assert status.part is not None and status.part.matching == 2
    assert (status.virtual_servers[0].matching, status.virtual_servers[0].counts.servers) == (1, 8)
    status = await engine.status(Asked(is_trouble=True), (address,))
    assert len(status.virtual_servers) == 20, "all of them have that address"
    assert status.virtual_servers[0].address_trouble


async def test_a_virtual_server_that_is_not_served_is_not_well_with_all_it_has(start, block, path, balancer):
    engine = await start(farm(block, 3, 4))
    path.refused[next(key for key in path.entries if key.port == 8002)] = "The port is taken."
    await balancer.turn()
    status = await engine.status(Asked(is_trouble=True))
    assert names(status) == ["web2"] and rows(status) == ["s1", "s2", "s3", "s4"]
    assert status.virtual_servers[0].refused == "The port is taken."
    assert status.counts.not_served == 1 and (await engine.summary()).counts.not_served == 1


@pytest.mark.parametrize(
    ("text", "found", "servers"),
    [
        ("WEB17", ["web17"], 8),
        ("127.0.0.2:8009", ["web9"], 8),
        (":8009", ["web9"], 8),
        ("10.0.21.4", ["web21"], 1),
        ("10.0.21.4:80", ["web21"], 1),
        ("s8", [f"web{number}" for number in range(1, 21)], 1),
        ("nobody", [], 0),
        ("10.0.21.4\n", [], 0),
    ],
)
async def test_a_text_finds_by_name_and_address(start, block, text, found, servers):
    engine = await start(farm(block))
    status = await engine.status(Asked(text=text.casefold()))
    assert names(status) == found
    assert all(len(each.servers) == servers for each in status.virtual_servers if len(found) < 20)
    assert status.part is not None and status.part.matching == (30 if len(found) == 20 else len(found))


async def test_a_mark_is_found_by_its_number(start, block):
    engine = await start(block("web", "a=10.0.0.1:80", extra="fwmark = 91") + block("api", "b=10.0.0.2:80", port=81))
    assert names(await engine.status(Asked(text="mark 9"))) == ["web"]


async def test_one_virtual_server_by_its_path_is_told_page_by_page_in_the_order_of_lvs_cf(start, block, probes):
    probes.bad.add("10.0.2.150:80")
    engine = await start(farm(block, 2, 230))
    status = await engine.status(Asked(path="virtual[web2]", first=101))
    (web,) = status.virtual_servers
    assert (web.first, web.matching, len(web.servers)) == (101, 230, 100)
    assert rows(status) == [f"s{number}" for number in range(101, 201)]
    assert web.counts == Counts(1, 0, 230, 229, 1)
    (web,) = (await engine.status(Asked(path="virtual[web2]", first=201))).virtual_servers
    assert (web.first, len(web.servers)) == (201, 30)
    (web,) = (await engine.status(Asked(path="virtual[web2]", first=9999))).virtual_servers
    assert (web.first, len(web.servers)) == (230, 1)
    (web,) = (await engine.status(Asked(path="virtual[web2]", is_trouble=True))).virtual_servers
    assert ([each.name for each in web.servers], web.matching) == (["s150"], 1)
    (web,) = (await engine.status(Asked(path="virtual[web2]", text="10.0.2.7"))).virtual_servers
    assert [each.name for each in web.servers] == ["s7", *(f"s{number}" for number in range(70, 80))]
    assert (await engine.status(Asked(path="virtual[web3]"))).virtual_servers == ()


async def test_one_real_server_by_its_path(start, block):
    engine = await start(farm(block, 2, 8))
    (web,) = (await engine.status(Asked(path="virtual[web2].server[s5]"))).virtual_servers
    assert [each.path for each in web.servers] == ["virtual[web2].server[s5]"]


async def test_a_virtual_server_that_is_not_active_is_told_by_path_and_not_on_the_page(start, block):
    engine = await start(block("web", "a=10.0.0.1:80") + block("off", "b=10.0.0.2:80", port=81, active=0))
    assert names(await engine.status(Asked())) == ["web"]
    assert names(await engine.status(Asked(path="virtual[off]"))) == ["off"]
    assert names(await engine.status()) == ["web", "off"]
    assert (await engine.status()).counts == Counts(1, 0, 1, 1)


async def test_what_only_drains_stands_behind_what_runs(start, block, path, paths, balancer):
    engine = await start(farm(block, 2, 2))
    for key, entry in path.entries.items():
        path.counters.update({(key, each): Counters(active_connections=7) for each in entry.destinations})
    paths.lvs_cf.write_text(farm(block, 1, 1))
    await engine.apply(ApplyRequest(), ANN)
    await balancer.turn()
    status = await engine.status(Asked())
    assert [(each.path, each.counts.leaving) for each in status.virtual_servers] == [("virtual[web1]", 1), ("", 2)]
    assert [each.role for each in status.virtual_servers[0].servers] == ["server", "draining"]
    assert status.virtual_servers[0].matching == 2
    assert (status.counts.leaving, status.counts.connections) == (3, 28)
    assert names(await engine.status(Asked(text=":8002"))) == ["TCP  127.0.0.2:8002"]
    assert names(await engine.status(Asked(is_trouble=True))) == []


async def test_long_lists_are_counted_and_their_beginnings_told(start, block):
    engine = await start(farm(block, 3, 40))
    for server in range(1, 41):
        for virtual in (1, 2):
            await engine.override(OverrideRequest(f"virtual[web{virtual}].server[s{server}]", "weight", 2), ANN)
    addresses = [
        AddressStatus(f"10.9.{number}.1/32", "lo", "lo:1", f"virtual[x{number}]", AddressState.CARRIED)
        for number in range(80)
    ]
    wrong = replace(addresses[70], state=AddressState.CONFLICT, sentence="Another has it.")
    own = AddressStatus("127.0.0.2/32", "lo", "lo:1", "virtual[web1]", AddressState.CARRIED)
    status = await engine.status(Asked(), (*addresses[:70], wrong, *addresses[71:], own))
    part = status.part
    assert part is not None and (part.overrides, len(status.overrides)) == (80, 50)
    assert (part.addresses, part.addresses_in_trouble, status.addresses) == (81, 1, (wrong, own))
    summary = await engine.summary()
    assert (len(summary.overrides), summary.overrides_in_all) == (5, 80)


async def test_the_summary_says_in_short_what_the_status_says(start, block, probes, paths):
    probes.bad.add("10.0.1.2:80")
    engine = await start(farm(block, 3, 4))
    paths.lvs_cf.write_text(farm(block, 3, 5))
    summary, status = await engine.summary(), await engine.status()
    for name in ("state", "reason", "data_path", "router", "config", "counts", "messages", "stopped", "role"):
        assert getattr(summary, name) == getattr(status, name), name
    assert summary.counts == Counts(3, 0, 12, 11, 1) and not summary.config.is_applied


async def test_the_counts_follow_what_the_checks_say(start, block, probes, balancer):
    engine = await start(farm(block, 2, 2))
    assert (await engine.summary()).counts.up == 4
    checked_as(balancer, "10.0.1.1", Verdict(False, "refused"))
    await balancer.turn()
    assert ((await engine.summary()).counts.up, (await engine.summary()).counts.down) == (3, 1)
    assert names(await engine.status(Asked(is_trouble=True))) == ["web1"]


async def test_the_part_shows_what_was_just_done_without_another_turn(start, block, path):
    engine = await start(farm(block, 2, 2))
    await engine.override(OverrideRequest("virtual[web1].server[s2]", "drain"), ANN)
    status = await engine.status(Asked())
    assert [each.traffic.weight for each in status.virtual_servers[0].servers] == [0, 1]
    assert status.pending == ()
    path.refuses[next(iter(path.entries))] = "The kernel says no."
    await engine.override(OverrideRequest("virtual[web1].server[s1]", "weight", 5), ANN)
    status = await engine.status(Asked())
    assert [each.refused for each in status.pending] == ["The kernel says no."]
    assert next(each for each in status.virtual_servers[0].servers if each.name == "s1").traffic.weight == 1


async def test_what_was_found_is_found_again_without_looking_until_there_is_news(
    start, balancer, block, monkeypatch
) -> None:
    engine = await start(farm(block))
    looked = []
    whole = Chooser._matching
    monkeypatch.setattr(Chooser, "_matching", lambda self, text: (looked.append(text), whole(self, text))[1])
    first = await engine.status(Asked(text="s3"))
    second = await engine.status(Asked(text="s3", first=11, limit=3))
    assert (first.part.matching, names(second)) == (30, ["web11", "web12", "web13"])
    assert looked == ["s3"]
    assert names(await engine.status(Asked(text="s3", is_trouble=True))) == [] and looked == ["s3", "s3"]
    checked_as(balancer, "10.0.7.3", Verdict(False, "refused"))
    await balancer.turn()
    assert names(await engine.status(Asked(text="s3", is_trouble=True))) == ["web7"]
    wrong = [AddressStatus("192.0.2.9/32", "lo", "lo:1", "virtual[web9]", AddressState.REFUSED, "No lo here.")]
    assert "web9" in names(await engine.status(Asked(is_trouble=True), wrong))
    assert names(await engine.status(Asked(is_trouble=True))) == ["web7"]


async def test_the_counts_of_a_virtual_server_are_those_of_now(start, balancer, block) -> None:
    engine = await start(farm(block, virtuals=2))
    assert (await engine.status(Asked(path="virtual[web1]"))).virtual_servers[0].counts.up == 8
    checked_as(balancer, "10.0.1.3", Verdict(False, "refused"))
    await balancer.turn()
    counts = (await engine.status(Asked(path="virtual[web1]"))).virtual_servers[0].counts
    assert (counts.up, counts.down) == (7, 1)
    await engine.override(OverrideRequest("virtual[web1].server[s4]", "drain"), ANN)
    assert (await engine.status(Asked(path="virtual[web1]"))).virtual_servers[0].counts.drained == 1
