"""What of a table is ours, and what of it is on its way out."""

import pytest

from piranha.engine.table_reader import TableReader
from piranha.engine.table_share import TableShare
from piranha.engine.table_store import TableStore
from piranha.ipvs.desired import configured
from piranha.ipvs.table import Reading
from piranha.system.ipvs_socket import KernelUnavailable


async def test_a_table_of_our_own_is_ours_and_of_a_shared_one_what_is_remembered(
    balancer, path, cluster_of, block
) -> None:
    await balancer.switch(cluster_of(block("web", "one=127.0.0.3:80")))
    view = await balancer.view()
    ours = TableShare(path, TableStore()).owned(view.reading, view.target, frozenset(), (), is_active=False)
    assert ours.services == frozenset(view.reading.table)
    path.shares = True
    shared = TableShare(path, TableStore())
    assert not shared.owned(view.reading, view.target, frozenset(), (), is_active=False).services
    here = configured(balancer.cluster, {})
    assert shared.owned(view.reading, view.target, here, (), is_active=True).services == ours.services
    assert (await balancer.recent_view()).ours


class Path:
    def __init__(self) -> None:
        self.problem = ""

    async def present(self) -> Reading:
        if self.problem:
            raise KernelUnavailable(self.problem)
        return Reading({}, {})


async def test_a_table_that_cannot_be_read_is_said_once_and_when_it_can_be_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    path = Path()
    reader = TableReader(path)  # type: ignore[arg-type]
    assert await reader.read() == Reading({}, {}) and not caplog.records
    path.problem = "The kernel does not answer."
    for _ in range(3):
        assert await reader.read() is None
    assert reader.trouble == path.problem
    path.problem = ""
    await reader.read()
    await reader.read()
    assert [each.getMessage() for each in caplog.records] == [
        "The kernel does not answer.",
        "The table can be read again.",
    ]
    assert reader.trouble == ""
