"""The floating addresses of this router: carried, announced, given back; and adopted after a crash.

Rule 1: a claim, in this order: ask for a second owner, write down what is ours, add the address, announce it. The table
is there before (the caller's part). A yield: from that moment no announcement, then the address goes.
Rule 2: a second owner is logged and shown, and the address is claimed all the same: at a takeover it is most often the
partner, half dead, with whom nobody is served.
Rule 3: what was refused is logged once, shown, and tried again; whatever the world does, the rest goes on.
Rule 4: what is there is read, not remembered: at every change that the kernel tells of, and every few seconds anyway.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from piranha.config.model import Address
from piranha.errors import PiranhaError
from piranha.guard import Turn
from piranha.ipvs.addresses import (
    NAT_ROUTER,
    AddAddress,
    AddressPlan,
    AddressStep,
    Held,
    Link,
    Outcome,
    Present,
    RefusedAddress,
    RemoveAddress,
    WantedAddress,
    describe,
    owned_after,
    plan,
    to_spare,
)
from piranha.ipvs.announcements import Carried
from piranha.paths import Paths
from piranha.pulse.address_ear import AddressEar
from piranha.pulse.address_sayings import AddressSayings
from piranha.pulse.address_status import Report, carried_of, reports, trouble_of_nat, unread, with_latest
from piranha.pulse.announcer import Announcer
from piranha.pulse.claim_watch import ClaimWatch
from piranha.pulse.own_addresses import OwnAddresses
from piranha.pulse.world import World
from piranha.said_once import SaidOnce
from piranha.status import AddressStatus
from piranha.system.addresses import AddressChanged, Change, LinkChanged, RouterAddresses

log = logging.getLogger("pulse")

READ_AGAIN_S = 5.0
"""How often the addresses are read when nothing is heard of them."""
READ_CLOSEST_S = 0.2
"""Readings are no closer: whoever takes an address away again and again does not keep the router busy."""
READ_SHARE = 50
"""A reading is followed by that many times its duration without one, unless a change is heard ..."""
READ_AGAIN_MOST_S = 60.0
"""... and no longer than that: a machine that stood still meanwhile did not read all that time."""
ASKED_S = 60.0
"""An address is not asked for again so soon, where adding it is refused again and again."""
_PAUSE_LEAST_S = 0.01
_TRIES = 3


_NOTHING: frozenset[Held] = frozenset()


class Floating:
    """Carries the floating addresses of what runs. `now` is monotonic seconds.

    `follow` says what runs, `run` keeps it so, `stop` ends it. No method raises for what the world does.
    """

    def __init__(self, paths: Paths, now: Callable[[], float], world: World | None = None) -> None:
        self._now = now
        self._world = world if world is not None else World()
        self._announcer = Announcer(now, self._world.announce)
        self._claims = ClaimWatch(now, self._world.listen)
        self._ear = AddressEar(self._world.changes, self._heard)
        self._lock = asyncio.Lock()
        self._woken = asyncio.Event()
        self._router: RouterAddresses | None = None
        self._is_over = False
        self._followed: tuple[tuple[WantedAddress, ...], tuple[RefusedAddress, ...], frozenset[Address]] | None = None
        self._hearing: tuple[Sequence[Carried], Mapping[str, Link], frozenset[str]] | None = None
        self._wanted: tuple[WantedAddress, ...] = ()
        self._unusable: tuple[RefusedAddress, ...] = ()
        self._before: dict[Held, WantedAddress] = {}
        self._spared = _NOTHING
        self._is_reading_due = False
        self._present: Present | None = None
        self._read_at = float("-inf")
        self._read_took_s = 0.0
        self._asked_at: dict[Carried, float] = {}
        self._carried: frozenset[Carried] = frozenset()
        self._reports: tuple[Report, ...] = ()
        self._sayings = AddressSayings(now)
        self._troubles = SaidOnce(log)
        self._own = OwnAddresses(paths, self._troubles)
        try:
            # Now, and not with the first takeover: loading what it needs takes a third of a second.
            self._open()
        except PiranhaError as error:
            self._troubles.say("reading", str(error))

    # what the engine calls

    @property
    def has_any(self) -> bool:
        """Say whether addresses are here that this router, or a former run of it, claimed."""
        return bool(self._own.held)

    async def follow(
        self,
        wanted: Sequence[WantedAddress],
        unusable: Sequence[RefusedAddress] = (),
        draining: Collection[Address] = (),
        *,
        asks_first: bool = True,
    ) -> None:
        """Carry these addresses from now on. The table is to be there already.

        To be called whenever it changes which, from when it is known what runs: none gives every address back.
        `unusable` are those that cannot be carried as they are configured. `draining`: addresses of virtual servers
        that left lvs.cf and still have connections; they stay as long as they are named here. `asks_first`: nobody is
        asked before new ones are claimed if that is false, as at a takeover, where each moment counts.
        """
        followed = (tuple(wanted), tuple(unusable), frozenset(draining))
        is_done = followed == self._followed and (bool(wanted) or not self._own.held)
        if self._is_over or is_done:
            return
        with Turn("Following the floating addresses of what runs"):
            # Before it is our turn: what is yielded while others are asked for is not claimed any more.
            self._followed = followed
            self._wanted, self._unusable = followed[:2]
            async with self._lock:
                await self._bring(asks_first)
            await self._announcer.send_due()
            self._listen()
        self._woken.set()

    def want_none(self) -> None:
        """Claim and announce nothing more from this moment on; `follow` takes away what is there."""
        self._followed = (), (), frozenset()
        self._wanted, self._unusable = (), ()
        self._announcer.keep(())

    def announce_again(self) -> None:
        """Announce all that is carried anew: neighbours may have believed another router."""
        self._announcer.again({each.device for each in self._carried})
        self._woken.set()

    async def run(self) -> None:
        """Announce what is due, and read again what may have changed, until cancelled or stopped."""
        try:
            while not self._is_over:
                with Turn("A turn of the floating addresses"):
                    await self.turn()
                await self._pause()
        finally:
            self._ear.close()

    async def turn(self) -> None:
        """Do what is due now."""
        self._woken.clear()
        if not self._is_over:
            self._troubles.say("changes", self._ear.open())
        if self._now() >= self._read_again_at():
            async with self._lock:
                await self._bring()
        if not self._is_over:
            # Whoever believed the other owner hears of us.
            self._announcer.again({each.device for each in self._claims.ask_due()})
            await self._announcer.send_due()
            self._listen()

    async def stop(self, *, yields: bool) -> None:
        """End. `yields`: not one more announcement, and our addresses go; else they stay, for the next run to adopt."""
        self._is_over = True
        self._announcer.carry(())
        self._woken.set()
        with Turn("Stopping with the floating addresses"):
            async with self._lock:
                self._claims.close()
                self._ear.close()
                if yields:
                    self._give_back()
                if self._router is not None:
                    self._router.close()
                    self._router = None

    def standings(self) -> tuple[AddressStatus, ...]:
        """Return how each address stands, in file order; at the end what lvs.cf names no more and is still there."""
        return tuple(self._with_latest(each) for each in self._reports)

    def troubles(self) -> tuple[str, ...]:
        """Return what is wrong with all of it: what cannot be read or written down, and the NAT router's address."""
        nat = trouble_of_nat(self.standings())
        return (*self._troubles.sentences, nat) if nat else self._troubles.sentences

    # from what is there to what should be; with the lock held

    async def _bring(self, asks_first: bool = True) -> None:
        if self._is_over:
            return
        # At a takeover each moment counts: what was read last is true if nothing was heard since.
        is_known = not asks_first and self._ear.is_open and not self._is_reading_due
        self._is_reading_due = False
        self._read_at = self._now()
        try:
            made, present = self._plan(self._present if is_known else None)
            self._read_took_s = self._now() - self._read_at
            new = self._to_ask(made, present)
            if new and asks_first:
                asked = await self._world.ask(new, [link.mac for link in present.links.values() if link.mac])
                self._asked_at |= dict.fromkeys(new, self._now())
                if self._is_stopped():
                    return
                self._claims.note(asked.conflicts)
                made, present = self._plan()
            await self._take(made, present)
        except PiranhaError as error:
            self._troubles.say("reading", str(error))
            self._reports = unread(self._wanted, self._reports, str(error))
        else:
            self._troubles.say("reading", "")

    def _plan(self, known: Present | None = None) -> tuple[AddressPlan, Present]:
        present = self._present = known or self._open().read()
        self._before |= {each.held: each for each in self._wanted}
        draining = self._followed[2] if self._followed is not None else ()
        is_unsure = any(each.is_unknown for each in self._unusable)
        self._spared = to_spare(self._own.held, self._wanted, self._before.values(), draining, is_unsure)
        return plan(present, self._own.held, self._wanted, self._spared), present

    def _to_ask(self, made: AddressPlan, present: Present) -> tuple[Carried, ...]:
        """Return for which addresses to ask before they are claimed: not for those that we had a moment ago."""
        latest = self._now() - ASKED_S
        adds = [carried_of(step.wanted.held) for step in made.steps if isinstance(step, AddAddress)]
        return tuple(
            each
            for each in adds
            if each not in self._carried
            and self._asked_at.get(each, float("-inf")) < latest
            and present.links[each.device].announces
        )

    async def _take(self, made: AddressPlan, present: Present) -> None:
        refusals: dict[Held, str] = {}
        for _ in range(_TRIES):
            steps = [step for step in made.steps if _held_of(step) not in refusals]
            not_added = {step.wanted.held for step in made.steps if isinstance(step, AddAddress) and step not in steps}
            self._own.held = made.owned - not_added
            self._own.write()
            self._announcer.keep({carried_of(held) for held in (*(each.held for each in self._wanted), *self._spared)})
            if not steps:
                break
            refused = self._apply(steps)
            refusals |= refused
            await self._announce_new(steps, refused, present)
            if self._is_stopped():
                return
            # What came of it, and what somebody else did meanwhile.
            present = self._present = self._open().read()
            made = plan(present, self._own.held, self._wanted, self._spared)
        self._own.write()
        self._reports = reports(made.standings, refusals, self._unusable, self._spared & made.owned)
        carried = [each.carried for each in self._reports if each.carried is not None]
        self._carried = frozenset(carried)
        self._asked_at = {each: at for each, at in self._asked_at.items() if each.device in present.links}
        self._before = {held: each for held, each in self._before.items() if held in self._own.held}
        self._tell(carried, present)
        self._sayings.say(each.status for each in self._reports)

    async def _announce_new(self, steps: Sequence[AddressStep], refused: Collection[Held], present: Present) -> None:
        """Announce what was just claimed, before it is read what came of it: clients wait for it."""
        claimed = [step.wanted for step in steps if isinstance(step, AddAddress)]
        # The NAT router's first: real servers answer new clients to the router that they know.
        claimed.sort(key=lambda wanted: wanted.source != NAT_ROUTER)
        heard = {name for name, link in present.links.items() if link.announces}
        held = [each.held for each in claimed if each.held not in refused and each.held.device in heard]
        self._announcer.add([carried_of(each) for each in held])
        await self._announcer.send_due()

    def _apply(self, steps: Sequence[AddressStep]) -> dict[Held, str]:
        """Take the steps; return why some were refused."""
        refusals: dict[Held, str] = {}
        for done in self._open().apply_all(steps):
            self._own.held = owned_after(self._own.held, done.step, done.outcome)
            held = _held_of(done.step)
            if done.outcome is Outcome.REFUSED:
                refusals[held] = done.sentence
            elif isinstance(done.step, AddAddress) and carried_of(held) in self._carried:
                self._sayings.was_gone(held)
            elif done.outcome is Outcome.DONE:
                log.info("Done: %s", describe(done.step))
        return refusals

    def _tell(self, carried: Sequence[Carried], present: Present) -> None:
        """Announce what is carried, where neighbours look for addresses at all."""
        heard = [each for each in carried if each.device in present.links and present.links[each.device].announces]
        self._announcer.carry(heard)
        devices = {each.device for each in heard}
        again = self._announcer.present(link for link in present.links.values() if link.name in devices)
        unasked = {each.device for each in heard if each not in self._asked_at}
        self._asked_at |= dict.fromkeys([each for each in heard if each.device in unasked], self._now())
        before = self._hearing[2] if self._hearing is not None else frozenset()
        self._hearing = heard, present.links, before.union(again, unasked)

    def _listen(self) -> None:
        """Listen for second owners of what is carried, behind the announcements: these are what somebody waits for."""
        if self._hearing is None or self._is_over:
            return
        (heard, links, devices), self._hearing = self._hearing, None
        self._claims.carry(heard, links)
        for device in devices:
            self._claims.ask(device)

    def _give_back(self) -> None:
        """Remove what is ours."""
        self._wanted, self._unusable, self._spared = (), (), _NOTHING
        self._carried = frozenset()
        try:
            made = plan(self._open().read(), self._own.held, ())
            refusals = self._apply(made.steps)
        except PiranhaError as error:
            self._troubles.say("reading", str(error))
            return
        self._own.held &= made.owned
        self._own.write()
        self._reports = reports((), refusals, (), ())
        self._sayings.say(each.status for each in self._reports)

    def _is_stopped(self) -> bool:
        return self._is_over

    def _open(self) -> RouterAddresses:
        if self._router is None:
            self._router = self._world.router()
        return self._router

    # what is told by the kernel

    def _heard(self, changes: Sequence[Change]) -> None:
        held = {*(each.held for each in self._wanted), *self._own.held}
        devices = {each.device for each in held}
        addresses = {each.address for each in held}
        for change in changes:
            match change:
                case LinkChanged(link, is_gone):
                    concerns_us = link.name in devices
                    if concerns_us and is_gone:
                        self._announcer.gone(link.name)
                    elif concerns_us and self._announcer.seen(link):
                        self._claims.ask(link.name)
                case AddressChanged(address):
                    concerns_us = address.held.device in devices or address.held.address in addresses
                case _:
                    concerns_us = True
            self._is_reading_due = self._is_reading_due or concerns_us
        self._woken.set()

    # times

    def _read_again_at(self) -> float:
        if self._followed is None:
            return float("inf")
        if self._is_reading_due:
            return self._read_at + READ_CLOSEST_S
        return self._read_at + max(READ_AGAIN_S, min(READ_AGAIN_MOST_S, READ_SHARE * self._read_took_s))

    async def _pause(self) -> None:
        """Wait for the next thing that is due."""
        times = [self._read_again_at(), self._announcer.next_at, self._claims.next_at]
        if not self._ear.is_open:
            times.append(self._now() + READ_AGAIN_S)
        next_at = min(at for at in times if at is not None)
        try:
            async with asyncio.timeout(max(_PAUSE_LEAST_S, next_at - self._now()) if next_at < float("inf") else None):
                await self._woken.wait()
        except TimeoutError:
            pass

    # what a person reads

    def _with_latest(self, report: Report) -> AddressStatus:
        what = report.carried
        if what is None:
            return report.status
        told, trouble = self._announcer.told(what), self._announcer.trouble(what.device)
        said = (told.rounds, max(0.0, self._now() - told.at)) if told is not None else None
        return with_latest(report.status, what, said, self._claims.second_owner(what), trouble)


def _held_of(step: AddressStep) -> Held:
    return step.held if isinstance(step, RemoveAddress) else step.wanted.held
