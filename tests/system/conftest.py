"""Tests of what depends on the event loop run on either: asyncio's own, and uvloop."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

ON_BOTH_LOOPS = {
    "test_relay.py",
    "test_embedded.py",
    "test_embedded_listening.py",
    "test_udp_probe.py",
    "test_http_probe.py",
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loops of a test file (a hook of pytest-asyncio)."""
    own = {"asyncio": asyncio.new_event_loop}
    return {**own, "uvloop": uvloop.new_event_loop} if item.path.name in ON_BOTH_LOOPS else own
