"""The status of a page of a list: several virtual servers and real servers by their paths, in one question."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from piranha.engine.keeper import ConfigKeeper
from piranha.engine.parts import asked_of
from piranha.engine.service import Engine
from piranha.monitoring import StatusQuery
from piranha.router_status import Counts
from piranha.status import EngineStatus
from tests.engine.test_parts import checked, farm

Ask = Callable[..., Awaitable[EngineStatus]]


@pytest.fixture
async def ask(paths, balancer, probes, block) -> Ask:
    """Start an engine on 30 virtual servers of 8 real servers and return what asks it."""
    paths.lvs_cf.write_text(farm(block))
    engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
    await engine.start()
    await checked(balancer)

    async def asked(*paths: str, servers: int = 100) -> EngineStatus:
        return await engine.status(asked_of(StatusQuery(path="\n".join(paths), servers=str(servers))))

    return asked


async def test_virtual_servers_come_in_the_order_asked_for_with_counts_and_without_real_servers(ask: Ask) -> None:
    status = await ask("virtual[web7]", "virtual[web30]", "virtual[web2]")
    assert [each.name for each in status.virtual_servers] == ["web7", "web30", "web2"]
    assert {each.counts for each in status.virtual_servers} == {Counts(virtual_servers=1, servers=8, up=8)}
    assert [each.servers for each in status.virtual_servers] == [(), (), ()]
    assert status.part is not None and (status.part.first, status.part.matching) == (1, 3)


async def test_real_servers_come_inside_theirs_and_no_others(ask: Ask) -> None:
    status = await ask(
        "virtual[web7].server[s3]", "virtual[web7].server[s1]", "virtual[web2]", "virtual[web9].server[s8]"
    )
    told = {each.name: [server.name for server in each.servers] for each in status.virtual_servers}
    assert told == {"web7": ["s3", "s1"], "web2": [], "web9": ["s8"]}


async def test_what_is_not_there_is_left_out(ask: Ask) -> None:
    status = await ask("virtual[none]", "nonsense[", "virtual[web3]", "virtual[web3].server[none]")
    assert [each.name for each in status.virtual_servers] == ["web3"]
    nothing = await ask("virtual[none]", "virtual[nothing]")
    assert nothing.virtual_servers == () and nothing.part is not None and nothing.part.matching == 0


async def test_no_more_real_servers_come_than_asked_for(ask: Ask) -> None:
    paths = [f"virtual[web{virtual}].server[s{number}]" for virtual in (1, 2) for number in range(1, 9)]
    status = await ask(*paths, servers=4)
    assert [len(each.servers) for each in status.virtual_servers] == [2, 2]
    assert [each.matching for each in status.virtual_servers] == [8, 8]
