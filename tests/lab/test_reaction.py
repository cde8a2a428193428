"""Deaths of real servers are noticed in time, by the kernel's table (point 4 of what must be shown)."""

from collections.abc import Iterator

import pytest

from tests.lab.bench_reaction import DEATHS, INTERVAL_S, LIMIT_S, Ours, Scene, checking
from tests.lab.topology import Topology

SLACK_S = 1.0
"""The lab's kernel has one processor, and the machine below it other work."""
EARLY_S = 0.1 * INTERVAL_S + 0.05
"""The second check of a server comes up to a tenth of the interval early."""


@pytest.fixture(scope="module")
def scene(lab: Topology) -> Iterator[Scene]:
    with checking(lab, Ours) as found:
        yield found


@pytest.mark.parametrize(("death", "times"), [("its listener closes", 5), ("it falls silent", 2)])
def test_each_death_leaves_the_table_within_the_interval_and_the_limit(scene: Scene, death: str, times: int) -> None:
    found = scene.measured(DEATHS[death], times)
    print(found)
    assert len(found.noticed) == times
    assert max(found.noticed) <= INTERVAL_S + LIMIT_S + SLACK_S
    assert min(found.behind) > -EARLY_S and max(found.behind) <= SLACK_S
