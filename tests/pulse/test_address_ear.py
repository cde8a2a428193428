"""What the kernel tells, handed on by the event loop."""

import asyncio
import socket
from ipaddress import ip_address

from piranha.errors import PiranhaError
from piranha.ipvs.addresses import Held, PresentAddress
from piranha.pulse.address_ear import AddressEar
from piranha.system.addresses import AddressChanged, Change, ChangesLost

NEWS = AddressChanged(PresentAddress(Held("eth0", ip_address("192.0.2.1"), 32)))


class Watch:
    """Tells NEWS for each `tell`, or fails."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self.is_broken = False
        self.is_closed = False

    def fileno(self) -> int:
        return self._ours.fileno()

    def tell(self) -> None:
        self._theirs.send(b"!")

    def changes(self) -> tuple[Change, ...]:
        self._ours.recv(1)
        if self.is_broken:
            raise PiranhaError("It broke.")
        return (NEWS,)

    def close(self) -> None:
        self.is_closed = True
        self._ours.close()
        self._theirs.close()


async def test_changes_are_handed_on_and_first_of_all_that_some_may_be_missed() -> None:
    watch, heard = Watch(), asyncio.Queue[tuple[Change, ...]]()
    ear = AddressEar(lambda: watch, heard.put_nowait)  # type: ignore[arg-type, return-value]
    assert not ear.is_open
    assert ear.open() == ear.open() == ""
    assert await heard.get() == (ChangesLost(),)
    watch.tell()
    assert await heard.get() == (NEWS,)
    ear.close()
    ear.close()
    assert watch.is_closed
    assert heard.empty()


async def test_one_that_fails_is_opened_anew() -> None:
    made: list[Watch] = []
    heard = asyncio.Queue[tuple[Change, ...]]()

    def watch() -> Watch:
        made.append(Watch())
        return made[-1]

    ear = AddressEar(watch, heard.put_nowait)  # type: ignore[arg-type]
    ear.open()
    await heard.get()
    made[0].is_broken = True
    made[0].tell()
    assert await heard.get() == (ChangesLost(),)
    assert not ear.is_open
    assert made[0].is_closed
    assert ear.open() == ""
    assert len(made) == 2
    ear.close()


async def test_why_nothing_can_be_heard_is_a_sentence() -> None:
    def watch() -> Watch:
        raise PiranhaError("There is no netlink.")

    ear = AddressEar(watch, lambda _: None)  # type: ignore[arg-type]
    assert ear.open() == "There is no netlink."
    assert not ear.is_open
