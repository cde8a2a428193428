"""What an operator sees of a real pair and asks of it: `piranha status`, `piranha failover`, and REDUNDANCY."""

import subprocess
import sys

from argon2 import PasswordHasher

from piranha.web import create_app
from tests.lab.running_router import RunningRouter, until
from tests.lab.test_pair import Pair, is_active, lab, routers
from tests.web.conftest import PASSWORD, InProcessBrowser

__all__ = ["lab", "routers"]
PANEL = "/secure/redundancy"


def piranha(router: RunningRouter, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a router."""
    command = [sys.executable, "-m", "piranha.cli.main", "--root", str(router.paths.root), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    print(" ".join(words), "->", done.returncode, done.stdout[:3000], done.stderr)
    return done


def browser(router: RunningRouter) -> InProcessBrowser:
    """Return a browser that has logged in on a router."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    router.paths.passwd.parent.mkdir(parents=True, exist_ok=True)
    router.paths.passwd.write_text(f"piranha:{cheap.hash(PASSWORD)}\n")
    made = InProcessBrowser(create_app(router.paths))
    assert made.log_in(PASSWORD).status == 200
    return made


def test_status_and_failover_from_a_shell(routers: Pair) -> None:
    one, two = routers
    told = piranha(one, "status").stdout
    assert "This router is the primary, active since" in told and "serves: this router" in told
    assert f"The other router, {two.host.address('dmz')} (backup), is passive: heard " in told
    assert "NOT authenticated; same configuration; ready" in told
    assert "! ERROR: There is no shared key" in told
    refused = piranha(one, "failover", "take-over", "--yes")
    assert refused.returncode == 1 and refused.stderr == "Not taken over: this router is active.\n"
    assert piranha(one, "failover", "hand-over", "--yes").returncode == 0
    until(lambda: is_active(two), 20, "the backup has the addresses")
    assert f"serves: {two.host.address('dmz')}" in piranha(one, "status").stdout
    assert piranha(one, "failover", "hold", "--yes").returncode == 0
    told = piranha(one, "status").stdout
    assert "This router is the primary, held since" in told and "An operator holds this router" in told
    refused = piranha(two, "failover", "hand-over", "--yes")
    assert refused.returncode == 1 and "the partner is in state held" in refused.stderr
    assert piranha(one, "failover", "release", "--yes").returncode == 0
    assert piranha(one, "failover", "take-over", "--yes").returncode == 0
    until(lambda: is_active(one), 20, "the primary has the addresses again")


def test_redundancy_shows_the_pair_and_hands_over(routers: Pair) -> None:
    one, two = routers
    console = browser(one)
    until(lambda: "● the same as here" in console.open(PANEL).text, 10, "the partner has told of its configuration")
    page = console.open(PANEL)
    there = two.host.address("dmz")
    assert f"primary, ● active; the other router, {there}, is ○ passive" in page.text
    assert "Its configuration● the same as here" in page.text and "Readiness● ready to take over" in page.text
    page = page.press("HAND OVER")
    assert f"Serves afterwards{there}" in page.text
    page = page.press("HAND OVER")
    assert "Done: HAND OVER: Handing over by command." in page.text
    until(lambda: is_active(two), 20, "the backup has the addresses")
    page = browser(two).open(PANEL)
    assert "backup, ● active; the other router" in page.text and "HAND OVER" in page.text
