"""The demo balances: evenly, around a server that died, and with that server again when it is back."""

from collections import Counter

import pytest

from piranha.status import HealthState
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

INTERVAL_S, REENTRY_S = 2.0, 4.0
LIMIT_S = 2.0
"""A check may take as long as the interval."""
SLACK_S = 2.0
"""For processes that share two cores with other tests."""


def test_thirty_requests_go_to_three_servers_ten_each(demo: RunningDemo) -> None:
    answers = Counter(demo.get() for _ in range(30))
    assert answers == {(200, b"web1\n"): 10, (200, b"web2\n"): 10, (200, b"web3\n"): 10}


def test_a_dead_server_is_left_out_and_comes_back_after_the_reentry_time(demo: RunningDemo) -> None:
    stopped = demo.command("demo", "stop", "web2")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert stopped.stdout.startswith("web2 is stopped.")

    seen_s = until(
        lambda: demo.server("web2").health.state is HealthState.DOWN,
        INTERVAL_S + LIMIT_S + SLACK_S,
        "web2 is seen down",
    )
    web2 = demo.server("web2")
    assert "refused" in web2.health.reason.lower()
    assert web2.health.since is not None
    assert web2.traffic.weight is None  # it is not in the table
    answers = Counter(demo.get() for _ in range(200))
    assert answers == {(200, b"web1\n"): 100, (200, b"web3\n"): 100}
    shown = demo.command("status")
    assert shown.returncode == 0
    line = next(line for line in shown.stdout.splitlines() if "web2" in line)
    assert "DOWN" in line
    assert "refused" in line.lower()

    started = demo.command("demo", "start", "web2")
    assert (started.returncode, started.stderr) == (0, "")
    back_s = until(
        lambda: demo.server("web2").health.state is HealthState.UP,
        INTERVAL_S + REENTRY_S + SLACK_S,
        "web2 is back",
    )
    # Two good checks in a row, one interval apart, are the re-entry time of 4 seconds at an interval of 2.
    assert back_s >= INTERVAL_S - 0.1
    answers = Counter(demo.get() for _ in range(30))
    assert answers == {(200, b"web1\n"): 10, (200, b"web2\n"): 10, (200, b"web3\n"): 10}
    print(f"web2 seen down after {seen_s:.2f} s, back {back_s:.2f} s after its start")


def test_requests_go_on_between_the_death_and_the_check_that_sees_it(demo: RunningDemo) -> None:
    demo.command("demo", "stop", "web3")
    # The connection that is refused costs one retry on the next server; the client sees none of it.
    answers = Counter(demo.get() for _ in range(60))
    assert set(answers) == {(200, b"web1\n"), (200, b"web2\n")}
    demo.command("demo", "start", "web3")
    within_s = 2 * INTERVAL_S + REENTRY_S + LIMIT_S + SLACK_S
    until(lambda: demo.server("web3").health.state is HealthState.UP, within_s, "web3 is up")


def test_a_drained_server_gets_nothing_new_until_it_is_undrained(demo: RunningDemo) -> None:
    assert demo.command("drain", "virtual[demo].server[web1]").returncode == 0
    assert Counter(demo.get() for _ in range(20)) == {(200, b"web2\n"): 10, (200, b"web3\n"): 10}
    assert demo.command("undrain", "virtual[demo].server[web1]").returncode == 0
    assert Counter(demo.get() for _ in range(30))[(200, b"web1\n")] == 10


def test_an_unknown_server_is_refused_by_name(demo: RunningDemo) -> None:
    refused = demo.command("demo", "stop", "web9")
    assert refused.returncode == 2
    assert "web9" in refused.stderr
    assert "Traceback" not in refused.stderr
