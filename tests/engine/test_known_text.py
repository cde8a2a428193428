"""Who knows a version already is not sent its text again."""

import asyncio

import pytest

from piranha.client import EngineClient
from piranha.engine import api
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.paths import Paths
from piranha.system import unix_socket

TEXT = "serial_no = 1\n# alte M\u00fchle\n"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("is_parsed", [True, False])
def test_a_known_text_is_left_out_and_any_other_is_told(paths: Paths, encoding: str, is_parsed: bool) -> None:
    paths.lvs_cf.write_bytes(TEXT.encode(encoding))
    keeper = ConfigKeeper(paths)
    if is_parsed:
        keeper.saved_version()
    first = keeper.saved()
    assert (first.text, first.is_known, first.encoding) == (TEXT, False, encoding)
    known = keeper.saved(first.token)
    assert (known.text, known.is_known) == ("", True)
    assert (known.file, known.token, known.exists, known.encoding) == (first.file, first.token, True, encoding)
    paths.lvs_cf.write_bytes(TEXT.encode(encoding).replace(b"= 1", b"= 2"))
    changed = keeper.saved(first.token)
    assert (changed.is_known, changed.text) == (False, TEXT.replace("= 1", "= 2"))
    assert changed.token != first.token


def test_a_file_that_went_or_cannot_be_read_is_never_known(paths: Paths) -> None:
    keeper = ConfigKeeper(paths)
    paths.lvs_cf.write_text(TEXT)
    token = keeper.saved().token
    paths.lvs_cf.unlink()
    assert not keeper.saved(token).exists and not keeper.saved(token).is_known
    paths.lvs_cf.mkdir()
    assert keeper.saved(token).problem and not keeper.saved(token).is_known


async def test_the_api_leaves_it_out_for_the_token_in_the_address(paths: Paths, balancer) -> None:
    paths.lvs_cf.write_text(TEXT)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
        await engine.start()
        listener = unix_socket.listen(paths.socket, mode=0o600)
        tasks.create_task(api.serve(api.application(engine), listener, stop), name="api")
        client = EngineClient(paths.socket)
        first = await asyncio.to_thread(client.config)
        again = await asyncio.to_thread(client.config, first.token)
        other = await asyncio.to_thread(client.config, "0" * 64)
        stop.set()
    assert (first.text, again.text, again.is_known, other.text) == (TEXT, "", True, TEXT)
