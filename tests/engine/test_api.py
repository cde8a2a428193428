"""The calls that the API answers itself: connections, and what it adds to the status."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest

from piranha.client import EngineClient
from piranha.engine import api, openapi
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import EditRefused
from piranha.messages import ConnectionsQuery
from piranha.status import AddressState, AddressStatus
from piranha.system import unix_socket

ADDRESS = AddressStatus("192.0.2.1/24", "eth0", "eth0:1", "virtual[web]", AddressState.CARRIED)
Start = Callable[..., Awaitable[EngineClient]]


@pytest.fixture
async def start(paths, balancer) -> AsyncIterator[Start]:
    """Start an engine without any lvs.cf behind its API, and return a client."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:

        async def started(addresses: Callable[[], Iterable[AddressStatus]] = tuple) -> EngineClient:
            engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
            await engine.start()
            listener = unix_socket.listen(paths.socket, mode=0o600)
            tasks.create_task(api.serve(api.application(engine, addresses=addresses), listener, stop), name="api")
            return EngineClient(paths.socket)

        yield started
        stop.set()


async def answered(paths, target: str) -> tuple[int, dict]:
    reader, writer = await asyncio.open_unix_connection(str(paths.socket))
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(body)


async def test_connections_are_asked_for_by_fields_of_the_address(start: Start) -> None:
    client = await start()
    told = await asyncio.to_thread(client.connections, ConnectionsQuery(client="192.0.2.7", limit="5"))
    assert told.limit == 5 and "embedded data path does not tell" in told.problem


async def test_a_question_that_is_not_understood_names_its_field_and_is_no_fault_of_ours(start: Start, paths) -> None:
    client = await start()
    with pytest.raises(EditRefused, match="is no client") as refused:
        await asyncio.to_thread(client.connections, ConnectionsQuery(client="nobody"))
    assert refused.value.keyword == "client"
    status, body = await answered(paths, "/v1/connections?client=nobody")
    assert (status, body["code"], body["keyword"]) == (400, "bad_request", "client")


@pytest.mark.parametrize("query", ["clinet=192.0.2.7", "client=192.0.2.7&client=192.0.2.8"])
async def test_a_field_that_would_choose_nothing_is_refused(start: Start, paths, query: str) -> None:
    await start()
    status, body = await answered(paths, f"/v1/connections?{query}")
    assert (status, body["code"]) == (400, "bad_request") and body["message"]


async def test_the_status_has_the_floating_addresses_and_no_kernel_on_another_data_path(start: Start) -> None:
    client = await start(lambda: (ADDRESS,))
    told = await asyncio.to_thread(client.status)
    assert told.addresses == (ADDRESS,) and told.kernel is None


def test_the_description_has_the_fields_of_a_question_as_parameters() -> None:
    described = openapi.description()["paths"]["/v1/connections"]["get"]
    assert {(each["name"], each["in"], each["required"]) for each in described["parameters"]} == {
        (name, "query", False) for name in ("client", "vip", "server", "state", "limit")
    }
    assert "requestBody" not in described
