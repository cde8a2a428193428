"""A pulse that hangs: its partner takes over, and it does not wake up as a second owner."""

import os
import signal

from tests.lab.running_router import stays, until
from tests.lab.test_pair import Pair, is_active, lab, routers
from tests.lab.test_sync import carries

__all__ = ["lab", "routers"]


def test_a_pulse_that_hangs_leaves_no_second_owner(routers: Pair) -> None:
    one, two = routers
    (pulse,) = one.pids("pulse")
    os.kill(pulse, signal.SIGSTOP)
    until(lambda: is_active(two), 20, "the backup takes over")
    until(lambda: not carries(one.host), 20, "lvs has taken the addresses away")
    assert "pulse said nothing for" in one.said() and "and is killed" in one.said()
    until(lambda: one.table() == [], 10, "and the table")
    assert one.process is not None and one.process.wait(10) == -signal.SIGKILL
    stays(lambda: carries(two.host) and not carries(one.host), 2, "one owner")
    one.launch()
    until(lambda: one.is_there() and one.status().redundancy is not None, 30, "pulse is back")
    until(lambda: one.status().redundancy.state == "passive", 20, "as the passive one")  # type: ignore[union-attr]
    assert carries(two.host)
