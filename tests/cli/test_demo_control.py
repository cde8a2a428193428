"""Orders to the running demo: handed over, carried out, answered; and one demo to a root."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from piranha.cli.demo_control import Order, Outcome, control_socket, only_one, send_order, serving
from piranha.errors import PiranhaError
from piranha.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    # Deeper than the 107 bytes that a Unix socket's address holds.
    made = Paths(tmp_path / ("deep" * 20) / ("deeper" * 10))
    made.run.mkdir(parents=True)
    return made


async def test_an_order_is_carried_out_and_answered(paths: Paths) -> None:
    obeyed = []

    async def obey(order: Order) -> Outcome:
        obeyed.append(order)
        return Outcome(True, f"{order.server} is stopped.")

    async with serving(paths, obey):
        outcome = await asyncio.to_thread(send_order, paths, Order("stop", "web2"))
    assert outcome == Outcome(True, "web2 is stopped.")
    assert obeyed == [Order("stop", "web2")]
    assert not control_socket(paths).exists()


async def test_nonsense_is_refused_and_the_demo_goes_on(paths: Paths) -> None:
    async def obey(order: Order) -> Outcome:
        return Outcome(True, "done")

    def talk(said: bytes) -> bytes:
        folder = os.open(paths.run, os.O_RDONLY)
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(30)
                line.connect(f"/proc/self/fd/{folder}/demo.sock")
                line.sendall(said)
                line.shutdown(socket.SHUT_WR)
                return line.makefile("rb").read()
        finally:
            os.close(folder)

    async with serving(paths, obey):
        assert b"That is no order for the demo" in await asyncio.to_thread(talk, b"stop web2 please\n")
        assert await asyncio.to_thread(talk, b"x" * 200_000 + b"\n") == b""
        assert (
            await asyncio.to_thread(talk, b'{"order":"stop","server":"web1"}\n')
            == b'{"is_done":true,"sentence":"done"}\n'
        )


def test_without_a_running_demo_the_way_to_start_one_is_said(paths: Paths) -> None:
    with pytest.raises(PiranhaError, match=r"No demo runs on .*Start it: piranha demo"):
        send_order(paths, Order("stop", "web2"))


def test_a_second_demo_on_the_same_root_is_told_which_process_has_it(paths: Paths) -> None:
    with (
        only_one(paths),
        pytest.raises(PiranhaError, match=rf"already running on .* \(process {os.getpid()}\)"),
        only_one(paths),
    ):
        pass
    with only_one(paths):
        pass
