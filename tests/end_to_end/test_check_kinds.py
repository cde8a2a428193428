"""A check that piranha.toml names, from the file to the table: it holds from the Apply on, and goes with its table."""

import pytest

from piranha.paths import Paths
from piranha.status import HealthState
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

SERVERS = ("web1", "web2", "web3")


def test_a_page_that_says_something_else_takes_that_server_out_and_no_other(demo: RunningDemo) -> None:
    """The demo's real servers say their names."""
    toml = Paths(demo.root).piranha_toml
    toml.write_text('[checks.virtual.demo]\nkind = "http"\nhost = "www.example.com"\nexpect = "web2"\n')
    assert demo.command("check").returncode == 0
    assert demo.command("apply").returncode == 0

    def states() -> dict[str, HealthState]:
        return {name: demo.server(name).health.state for name in SERVERS}

    until(lambda: states() == {"web1": HealthState.DOWN, "web2": HealthState.UP, "web3": HealthState.DOWN}, 15.0, "so")
    until(lambda: 'HTTP 200 with "web2" in the body' in demo.server("web2").health.reason, 15.0, "the reason is told")
    assert 'HTTP 200, but "web2" is not in its body of 5 bytes, "web1\\n"' in demo.server("web1").health.reason
    assert {demo.get()[1] for _ in range(6)} == {b"web2\n"}

    # What cannot be verified says nothing: all stay as they are.
    toml.write_text('[checks.virtual.demo]\nkind = "https"\nca_file = "/none.pem"\n')
    assert "none.pem cannot be read" in demo.command("check").stdout
    assert demo.command("apply").returncode == 0
    until(lambda: "none.pem cannot be read" in str(demo.status()), 15.0, "it is told")
    assert states() == {"web1": HealthState.DOWN, "web2": HealthState.UP, "web3": HealthState.DOWN}

    toml.unlink()
    assert demo.command("apply").returncode == 0
    until(lambda: set(states().values()) == {HealthState.UP}, 30.0, "lvs.cf's own check holds again")
