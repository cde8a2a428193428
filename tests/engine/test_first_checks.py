"""The first checks of very many servers, made by an engine without workers that has few file descriptors."""

import asyncio
import subprocess
import sys
import textwrap

import pytest

from tests.nanny.hired import real_server

pytestmark = pytest.mark.end_to_end
SERVERS = 2000

ENGINE = f"""
    import asyncio, json, resource, sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    from piranha.engine.nanny import Nanny
    from tests.nanny.hired import order

    async def run():
        checks = [order(number, int(sys.argv[1]), 600.0).check for number in range(1, {SERVERS} + 1)]
        heard = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            nanny = Nanny(group, lambda *_: heard.set())
            nanny.watch({{check.key: check for check in checks}})
            # What else the engine does has its turn between them.
            turns, clock = [], asyncio.get_running_loop().time
            while any(health.checked_at is None for health in nanny.healths.values()):
                began = clock()
                await asyncio.sleep(0.001)
                turns.append(clock() - began)
            states = sorted({{each.state for each in nanny.healths.values()}})
            reasons = sorted({{each.reason[:13] for each in nanny.healths.values()}})
            print(json.dumps([states, reasons, sorted(turns)[len(turns) // 2]]))
            nanny.stop()

    asyncio.run(run())
"""


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and say nothing more."""


async def test_thousands_of_first_checks_never_want_more_descriptors_than_there_are() -> None:
    async with real_server(closing) as port:
        engine = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(ENGINE), str(port), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(60):
            said, complained = await engine.communicate()
    assert complained == b""
    assert said.decode().startswith('[["up"], ["connected to "], ')
    assert float(said.decode().rsplit(",", 1)[1].rstrip("]\n")) < 0.5
