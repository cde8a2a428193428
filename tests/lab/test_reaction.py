"""Deaths of real servers are noticed in time, by the kernel's table (point 4 of what must be shown)."""

import pytest

from tests.lab.bench_reaction import DEATHS, INTERVAL_S, LIMIT_S, Ours, checking
from tests.lab.topology import Topology

SLACK_S = 1.0
"""The lab's kernel has one processor, for other tests of this machine too."""


@pytest.mark.parametrize(("death", "times"), [("its listener closes", 5), ("it falls silent", 2)])
def test_each_death_leaves_the_table_within_the_interval_and_the_limit(lab: Topology, death: str, times: int) -> None:
    with checking(lab, Ours) as scene:
        found = scene.measured(DEATHS[death], times)
    print(found)
    assert len(found.noticed) == times
    assert max(found.noticed) <= INTERVAL_S + LIMIT_S + SLACK_S
    assert min(found.behind) > -INTERVAL_S * 0.15, "no check comes much before it is due"
    assert max(found.behind) <= SLACK_S
