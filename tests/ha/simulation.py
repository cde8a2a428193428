"""Two routers on a bad wire: a random life of a pair, the same for the same seed, under a Watcher.

A life has rounds. In each things go wrong for a while, then all is made well, and stays so until it must have settled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from piranha.ha.channels import ChannelName
from piranha.ha.events import Command
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import Role, State
from tests.ha.original import OriginalRouter
from tests.ha.routers import NewRouter, Pace
from tests.ha.watcher import Router, Watcher
from tests.ha.world import Agenda, Violation, Wire

PAIRS = ("new", "new", "new without a key", "original primary", "original backup")
"""New pairs more often than the others."""
DIGESTS = (b"a" * 32, b"b" * 32)


@dataclass(slots=True)
class Plan:
    """What kind of pair it is, and what may go wrong in its life. Times in seconds.

    `slower`: by how much the timers of a new backup differ, as while they are being changed.
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
    faults: list[str] = field(default_factory=list)


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
        self.pace = Pace(take_s=keepalive_s * 0.08, drop_s=keepalive_s * 0.08, late_s=keepalive_s * 0.01)
        self.routers: list[Router] = [self._router(index) for index in (0, 1)]
        self.wire.ends = list(self.routers)
        slower, deadtime_s = self.plan.slower, self.plan.deadtime_s
        self.watcher = Watcher(self.agenda, self.routers, keepalive_s * slower, deadtime_s * slower, deadtime_s)
        self.has_operator_moved = False
        self.rounds = 0
        self.agenda.tell("", str(self.plan))

    def _router(self, index: int) -> Router:
        plan, keepalive_s = self.plan, self.plan.keepalive_s
        role = (Role.PRIMARY, Role.BACKUP)[index]
        if plan.pair == f"original {role}":
            pace = replace(self.pace, drop_s=keepalive_s * 0.3)
            return OriginalRouter(self.agenda, self.wire, index, keepalive_s, plan.deadtime_s, pace)
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
        keys = (b"k" * 32,) if plan.pair == "new" or settings.partner_is_original else ()
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
            agenda.within(lasts_s, self._fault(random.choice(_faults(plan))))
        agenda.run(agenda.now + lasts_s)

    def _peace(self) -> None:
        """Make all well, wait until it must have settled, and look on for a while."""
        agenda, plan, watcher = self.agenda, self.plan, self.watcher
        self._make_well()
        well_from = max(agenda.now + plan.keepalive_s, *(self._is_well_from(router) for router in self.routers))
        agenda.run(well_from + (plan.deadtime_s + 2 * plan.keepalive_s) * plan.slower + 5 * self.pace.drop_s)
        watcher.must_be_one = True
        watcher.look()
        agenda.run(agenda.now + plan.failback_after_s + agenda.random.uniform(1, 3) * plan.deadtime_s)
        self._check_settled()
        self.watcher.check_announced()
        watcher.must_be_one = False

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
            return self.agenda.now + max(0.0, router.sends_at - router.clock, router.dead_at - router.clock - 9e9)
        assert router.failover is not None
        return router.failover.node.retry_at

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
            self._boots(router)()
            if isinstance(router, OriginalRouter):
                router.link(is_up=True)
            else:
                router.reports(public_up=True, private_up=True, is_well=True, is_ready=True)
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
            _FAULTS[kind](self)

        return happen

    def some(self) -> Router:
        """Return one of the routers."""
        return self.agenda.random.choice(self.routers)

    def a_while_s(self, least: float = 0.0, most: float = 3.0) -> float:
        """Return a time, in the measure of deadtime."""
        return self.agenda.random.uniform(least, most) * self.plan.deadtime_s

    def later(self, call: Callable[[], None], after_s: float | None = None) -> None:
        """Let something happen after a while, unless all is made well before."""
        until = self.rounds

        def happen() -> None:
            if until == self.rounds:
                self.watcher.disturb()
                call()

        self.agenda.at(self.agenda.now + (self.a_while_s() if after_s is None else after_s), happen)


def _loses(life: Life) -> None:
    random = life.agenda.random
    share = random.choice((0.1, 0.3, 0.6, 0.9))
    for quality in life.wire.qualities.values():
        quality.loss = share if random.random() < 0.8 else 0.0
    life.agenda.tell("wire", f"loses {share:.0%}")


def _cuts(life: Life) -> None:
    random = life.agenda.random
    ways = random.choice(
        [[(0, c) for c in ChannelName], [(1, c) for c in ChannelName], list(life.wire.qualities), []]
    ) or [random.choice(list(life.wire.qualities))]
    for way in ways:
        life.wire.qualities[way].is_cut = True
    life.agenda.tell("wire", f"is cut: {[('from ' + 'PB'[sender], str(channel)) for sender, channel in ways]}")
    life.later(lambda: _mends(life))


def _mends(life: Life) -> None:
    for quality in life.wire.qualities.values():
        quality.is_cut = False
    life.agenda.tell("wire", "is mended")


def _muddles(life: Life) -> None:
    random = life.agenda.random
    for quality in life.wire.qualities.values():
        quality.delay_most_s = random.uniform(0, 0.9) * life.plan.keepalive_s
        quality.doubles = random.choice((0.0, 0.3))
    life.agenda.tell("wire", "delays, doubles and reorders")


def _loses_power(life: Life) -> None:
    router = life.some()
    if router.state is not None:
        router.kill(loses_power=True)
        life.watcher.restarted()
        life.later(life._boots(router))


def _is_killed(life: Life) -> None:
    router = life.some()
    if router.state is None:
        return
    had_addresses = router.has_addresses
    router.kill(loses_power=False)
    life.watcher.restarted()
    after_s = life.a_while_s(0, 1.5)
    is_quick = after_s < life.plan.deadtime_s and router.is_new

    def boot() -> None:
        if router.state is None:
            life.watcher.restarted()
            router.boot(Command.RESUME if had_addresses and is_quick and router.has_addresses else Command.START)

    life.later(boot, after_s)


def _stalls(life: Life) -> None:
    router, for_s = life.some(), life.a_while_s()
    router.stall(for_s)
    life.later(lambda: None, for_s)


def _loses_link(life: Life) -> None:
    router, channel = life.some(), life.agenda.random.choice(tuple(ChannelName))
    both = life.agenda.random.random() < 0.3  # one cable between the two, or one switch
    hit = [each for each in life.routers if each is router or both]
    for each in hit:
        life.wire.dead_links.add((each.index, channel))
        _tell_link(life, each, channel, is_up=False)

    def back() -> None:
        for each in hit:
            life.wire.dead_links.discard((each.index, channel))
            _tell_link(life, each, channel, is_up=True)

    life.later(back)


def _tell_link(life: Life, router: Router, channel: ChannelName, *, is_up: bool) -> None:
    until = life.rounds

    def tell() -> None:
        if until != life.rounds:
            return
        if isinstance(router, OriginalRouter):
            router.link(is_up=is_up)
        elif router.state is not None:
            router.reports(**{f"{channel}_up": is_up})
        else:
            router.report = replace(router.report, **{f"{channel}_up": is_up})  # type: ignore[arg-type]

    # Not both notice it at the same moment.
    life.agenda.within(life.plan.keepalive_s * 0.1, tell)


def _fails(life: Life) -> None:
    router = life.some()
    if isinstance(router, OriginalRouter):
        router.lvsd_dies()
        return
    router.reports(is_well=False, reason="killed")
    life.later(lambda: router.reports(is_well=True, reason=""))


def _hands_over(life: Life) -> None:
    _commands(life, Command.HAND_OVER)


def _takes_over(life: Life) -> None:
    _commands(life, Command.TAKE_OVER)


def _commands(life: Life, command: Command) -> None:
    router = life.some()
    life.has_operator_moved = True
    if router.is_new:
        router.command(command)


def _holds(life: Life) -> None:
    router = life.some()
    if router.is_new:
        router.command(Command.HOLD)
        life.later(lambda: router.command(Command.RELEASE))


def _stops(life: Life) -> None:
    router = life.some()
    router.command(Command.STOP)
    life.later(lambda: router.command(Command.START))


def _steps_clock(life: Life) -> None:
    for router in life.routers:
        if isinstance(router, OriginalRouter):
            router.clock_ahead_s += life.a_while_s(-1, 2)
            life.agenda.tell(router.name, f"has its clock stepped to {router.clock_ahead_s:+.3f} s")


_FAULTS: dict[str, Callable[[Life], None]] = {
    "loses": _loses,
    "cuts": _cuts,
    "muddles": _muddles,
    "loses power": _loses_power,
    "is killed": _is_killed,
    "stalls": _stalls,
    "loses link": _loses_link,
    "fails": _fails,
    "hands over": _hands_over,
    "takes over": _takes_over,
    "holds": _holds,
    "stops": _stops,
    "steps clock": _steps_clock,
}
_BY_OPERATOR = ("hands over", "takes over", "holds", "stops")


def _faults(plan: Plan) -> list[str]:
    """Return what may go wrong in a life."""
    if not plan.faults:
        plan.faults = [kind for kind in _FAULTS if plan.commands or kind not in _BY_OPERATOR]
    return plan.faults


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
