"""The memory of the kernel's table on the disk."""

import msgspec
import pytest

from piranha.config.model import Protocol
from piranha.engine.table_store import TableStore
from piranha.ipvs.ownership import NOTHING, Owned
from piranha.ipvs.table import TableKey

OWNED = Owned(frozenset({TableKey(Protocol.TCP, None, 80)}))


async def test_the_next_engine_knows_what_was_kept(paths):
    store = TableStore(paths)
    await store.keep(owned=OWNED, timeouts=(900, 0, 0))
    await store.keep_sync(("master", "eth1", 7))
    after = TableStore(paths).memory
    assert (after.owned, after.timeouts, after.sync) == (OWNED, (900, 0, 0), ("master", "eth1", 7))


async def test_what_is_not_named_stays(paths):
    store = TableStore(paths)
    await store.keep(owned=OWNED)
    await store.keep(timeouts=(1, 2, 3))
    assert TableStore(paths).memory.owned == OWNED


async def test_nothing_new_is_not_written_again(paths):
    store = TableStore(paths)
    await store.keep(owned=OWNED)
    before = store.path.stat().st_ino
    await store.keep(owned=OWNED)
    assert store.path.stat().st_ino == before


async def test_a_memory_of_another_boot_is_none(paths):
    store = TableStore(paths)
    await store.keep(owned=OWNED)
    record = msgspec.json.decode(store.path.read_bytes())
    store.path.write_bytes(msgspec.json.encode({**record, "boot_id": "another"}))
    found = TableStore(paths)
    assert (found.memory.owned, found.trouble) == (NOTHING, "")


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]"])
async def test_a_damaged_memory_is_said_and_written_anew(paths, raw, caplog):
    (paths.run / "ipvs-table.json").write_bytes(raw)
    store = TableStore(paths)
    assert store.memory.owned == NOTHING
    assert "only what lvs.cf names counts as ours" in store.trouble
    assert caplog.messages == [store.trouble]
    await store.keep(owned=OWNED)
    assert (store.trouble, TableStore(paths).memory.owned) == ("", OWNED)


async def test_a_disk_in_trouble_is_said_once_and_the_memory_is_kept_in_the_process(paths, caplog):
    store = TableStore(paths)
    store.path.mkdir()
    for _ in range(2):
        await store.keep(owned=OWNED)
    assert store.memory.owned == OWNED
    assert "After a crash" in store.trouble
    assert caplog.messages == [store.trouble]
    store.path.rmdir()
    await store.keep(owned=OWNED)
    assert (store.trouble, TableStore(paths).memory.owned) == ("", OWNED)


async def test_a_table_of_our_own_needs_no_file():
    store = TableStore()
    await store.keep(owned=OWNED)
    assert (store.memory.owned, store.path, store.trouble) == (OWNED, None, "")
