"""Two routers on a bad wire: a random life of a pair, the same for the same seed, under a Watcher.

A life has rounds. In each things go wrong for a while, then all is made well, and stays so until it must have settled.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from piranha.ha.channels import ChannelName
from piranha.ha.events import Command
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import Role, State
from tests.ha.original import OriginalRouter
from tests.ha.routers import NewRouter, Pace
from tests.ha.troubles import TROUBLES, troubles_of
from tests.ha.watcher import Router, Watcher
from tests.ha.world import Agenda, Violation, Wire

PAIRS = ("new", "new", "new without a key", "original primary", "original backup")
"""New pairs more often than the others."""
DIGESTS = (b"a" * 32, b"b" * 32)


@dataclass(slots=True)
class Plan:
    """What kind of pair it is, and what may go wrong in its life. Times in seconds.

    `slower`: by how much the timers of a new backup differ, as while they are being changed. `moves`: how long
    addresses take at most to go up or down, in keepalives.
    """

    pair: str
    keepalive_s: float
    deadtime_s: float
    failback: Failback
    failback_after_s: float
    rounds: int
    monitors_links: bool
    is_told_original: bool
    commands: bool
    same_config: bool
    slower: float
    moves: float


def plan_of(agenda: Agenda, pair: str | None = None) -> Plan:
    """Return a random plan."""
    random = agenda.random
    keepalive_s = random.choice((0.1, 0.5, 1.0, 2.0))
    deadtime_s = keepalive_s * random.choice((2, 2.5, 3, 5))
    return Plan(
        pair=pair or random.choice(PAIRS),
        keepalive_s=keepalive_s,
        deadtime_s=deadtime_s,
        failback=random.choice(tuple(Failback)),
        failback_after_s=random.choice((0.0, 1.0, 2.0)) * deadtime_s,
        rounds=random.choice((1, 2, 2, 3)),
        monitors_links=random.random() < 0.5,
        is_told_original=random.random() < 0.5,
        commands=random.random() < 0.7,
        same_config=random.random() < 0.8,
        slower=random.choice((1.0, 1.0, 1.0, 1.3)),
        moves=random.choice((0.08, 0.08, 0.4)),
    )


class Life:
    """One pair, from its first boot to the end."""

    def __init__(self, seed: int, pair: str | None = None, *, is_traced: bool = False) -> None:
        self.seed = seed
        self.agenda = Agenda(seed, is_traced=is_traced)
        self.plan = plan_of(self.agenda, pair)
        if self.plan.pair.startswith("original"):
            self.plan.slower = 1.0
        keepalive_s = self.plan.keepalive_s
        self.wire = Wire(self.agenda, keepalive_s * 0.03)
        moves_s = keepalive_s * self.plan.moves
        self.pace = Pace(take_s=moves_s, drop_s=moves_s, late_s=keepalive_s * 0.01)
        self.routers: list[Router] = [self._router(index) for index in (0, 1)]
        self.wire.ends = list(self.routers)
        slower, deadtime_s = self.plan.slower, self.plan.deadtime_s
        slowest = Pace(self.pace.take_s, max(router.pace.drop_s for router in self.routers), self.pace.late_s)
        self.watcher = Watcher(
            self.agenda, self.routers, keepalive_s * slower, deadtime_s * slower, deadtime_s, slowest
        )
        self.has_operator_moved = False
        self.rounds = 0
        self.troubles = troubles_of(self.plan.pair, commands=self.plan.commands)
        self.key_steps = [0, 0]
        self.agenda.tell("", str(self.plan))

    def _router(self, index: int) -> Router:
        plan, keepalive_s = self.plan, self.plan.keepalive_s
        role = (Role.PRIMARY, Role.BACKUP)[index]
        if plan.pair == f"original {role}":
            pace = replace(self.pace, drop_s=keepalive_s * 0.3)
            original = OriginalRouter(self.agenda, self.wire, index, keepalive_s, plan.deadtime_s, pace)
            original.monitors_links = plan.monitors_links
            return original
        slower = plan.slower if role is Role.BACKUP else 1.0
        is_mixed = plan.pair.startswith("original")
        settings = Settings(
            role=role,
            keepalive_s=keepalive_s * slower,
            deadtime_s=plan.deadtime_s * slower,
            has_private=True,
            monitors_links=plan.monitors_links,
            partner_is_original=is_mixed and plan.is_told_original,
            failback=plan.failback,
            failback_after_s=plan.failback_after_s,
            retry_first_s=keepalive_s,
            retry_most_s=2 * keepalive_s,
        )
        keys = (b"key 0",) if plan.pair == "new" or settings.partner_is_original else ()
        return NewRouter(self.agenda, self.wire, index, settings, self.pace, keys)

    def run(self) -> "Life":
        """Live. Raises Violation."""
        plan, agenda = self.plan, self.agenda
        for index, router in enumerate(self.routers):
            if isinstance(router, NewRouter):
                router.report = replace(router.report, digest=DIGESTS[0 if plan.same_config else index])
            agenda.at(agenda.random.choice((0.0, agenda.random.uniform(0, 2) * plan.deadtime_s)), self._boots(router))
            agenda.within(3 * plan.deadtime_s, self._gets_ready(router))
        for _ in range(plan.rounds):
            self._trouble()
            self._peace()
        self.watcher.check_changes()
        return self

    def _trouble(self) -> None:
        """Let things go wrong for a while."""
        random, agenda, plan = self.agenda.random, self.agenda, self.plan
        lasts_s = random.choice((2, 4, 8)) * random.uniform(0.5, 1) * plan.deadtime_s
        for _ in range(random.choice((0, 1, 1, 2, 3, 5, 8))):
            agenda.within(lasts_s, self._fault(random.choice(self.troubles)))
        agenda.run(agenda.now + lasts_s)

    def _peace(self) -> None:
        """Make all well, wait for as long as it may take to settle, and look on for a while."""
        agenda, plan, watcher = self.agenda, self.plan, self.watcher
        self._make_well()
        agenda.run(max(agenda.now, self.wire.muddled_until, *(self._is_well_from(router) for router in self.routers)))
        watcher.is_wire_good = True
        moves_s = watcher.pace.drop_s + watcher.pace.take_s + 2 * watcher.pace.late_s + self.wire.delay_most_s
        agenda.run(agenda.now + (plan.deadtime_s + 2 * plan.keepalive_s) * plan.slower + moves_s)
        watcher.expect_peace()
        agenda.run(agenda.now + plan.failback_after_s + agenda.random.uniform(1, 3) * plan.deadtime_s)
        self._check_settled()
        watcher.check_peace()

    def _check_settled(self) -> None:
        states = [router.state for router in self.routers]
        if sorted(str(state) for state in states) != [State.ACTIVE, State.PASSIVE] and self.watcher.owners == 1:
            raise Violation(f"settled as {states}")
        owner = next(router for router in self.routers if router.has_addresses)
        fails_back = self.watcher.are_new and self.plan.failback is Failback.AUTO and self.plan.same_config
        if fails_back and not self.has_operator_moved and owner.role is not Role.PRIMARY:
            raise Violation("the primary did not get the addresses back")

    def _is_well_from(self, router: Router) -> float:
        if isinstance(router, OriginalRouter):
            # One whose clock was set back is mute until it has caught up.
            overdue_s = router.sends_at - router.clock - router.keepalive_s
            return self.agenda.now + max(0.0, overdue_s)
        assert router.failover is not None
        return min(router.failover.node.retry_at, self.agenda.now + router.settings.retry_most_s)

    def _make_well(self) -> None:
        agenda, wire = self.agenda, self.wire
        agenda.tell("", "all is made well")
        self.rounds += 1
        self.watcher.disturb()
        wire.heal()
        wire.dead_links.clear()
        for router in self.routers:
            if router.is_stalled:
                router.stall_ends()
                self.watcher.interrupted()
            self._boots(router)()
            if isinstance(router, OriginalRouter):
                for channel in ChannelName:
                    router.link(channel, is_up=True)
            else:
                digest = DIGESTS[0 if self.plan.same_config else router.index]
                router.reports(public_up=True, private_up=True, is_well=True, is_ready=True, digest=digest)
                if router.state is State.HELD:
                    router.command(Command.RELEASE)
                if router.state is State.IDLE:
                    router.command(Command.START)

    def _boots(self, router: Router) -> Callable[[], None]:
        def boot() -> None:
            if router.state is None:
                self.watcher.disturb()
                self.watcher.restarted()
                router.boot()

        return boot

    def _gets_ready(self, router: Router) -> Callable[[], None]:
        return lambda: router.reports(is_ready=True) if isinstance(router, NewRouter) else None

    def _fault(self, kind: str) -> Callable[[], None]:
        def happen() -> None:
            self.watcher.disturb()
            TROUBLES[kind](self)

        return happen

    def some(self) -> Router:
        """Return one of the routers."""
        return self.agenda.random.choice(self.routers)

    def a_while_s(self, least: float = 0.0, most: float = 3.0) -> float:
        """Return a time, in the measure of deadtime."""
        return self.agenda.random.uniform(least, most) * self.plan.deadtime_s

    def later(self, call: Callable[[], None], after_s: float | None = None, *, is_felt: bool = True) -> None:
        """Let something happen after a while, unless all is made well before. `is_felt`: it may move addresses."""
        until = self.rounds

        def happen() -> None:
            if until == self.rounds:
                if is_felt:
                    self.watcher.disturb()
                call()

        self.agenda.at(self.agenda.now + (self.a_while_s() if after_s is None else after_s), happen)


def live(seed: int, pair: str | None = None) -> Life:
    """Live one life. Raises Violation with the whole story, for a person to read."""
    try:
        return Life(seed, pair).run()
    except Violation:
        pass
    life = Life(seed, pair, is_traced=True)
    try:
        life.run()
    except Violation as violation:
        story = "\n".join(life.agenda.trace)
        raise Violation(f"seed {seed}, {life.plan.pair}\n{story}\n{violation}") from None
    raise Violation(f"seed {seed}: went wrong without a trace, and well with one")
