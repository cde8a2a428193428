"""Virtual servers, real servers and checks to begin with; each test changes what it is about."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from piranha.config.model import FloatingAddress, Protocol, RealServer, RealServerKey, ServiceKey, VirtualServer
from piranha.health.check import Check

VIP = IPv4Address("192.0.2.1")
RIP = IPv4Address("10.0.0.1")


@pytest.fixture
def virtual() -> Callable[..., VirtualServer]:
    """Return a function that makes a virtual server on port 8080 without send and expect, with these changes."""

    def made(**changes: Any) -> VirtualServer:
        plain = VirtualServer(
            id="virtual[http]",
            name="http",
            is_active=True,
            address=FloatingAddress(VIP, "eth0:1"),
            vip_nmask=None,
            sorry_server=None,
            fwmark=0,
            protocol=Protocol.TCP,
            port=8080,
            scheduler="wlc",
            persistent_s=0,
            pmask=None,
            send=None,
            expect=None,
            uses_regex=False,
            send_program=None,
            timeout_s=6,
            reentry_s=15,
            load_monitor=None,
            quiesces=False,
            client_monitor="",
        )
        return replace(plain, **changes)

    return made


@pytest.fixture
def server() -> Callable[..., RealServer]:
    """Return a function that makes a real server at 10.0.0.1:80 with weight 3, with these changes."""

    def made(**changes: Any) -> RealServer:
        plain = RealServer("virtual[http].server[web1]", "web1", RIP, True, 80, True, 3)
        return replace(plain, **changes)

    return made


@pytest.fixture
def check() -> Callable[..., Check]:
    """Return a function that makes a connect-only check every 4 seconds with re-entry 10, with these changes."""

    def made(**changes: Any) -> Check:
        key = RealServerKey(ServiceKey(Protocol.TCP, VIP, 8080), RIP, 80)
        return replace(Check(key, Protocol.TCP, RIP, 80, None, None, 4.0, 10.0, 4.0), **changes)

    return made
