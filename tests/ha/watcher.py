"""What must hold at every moment: the invariants of failover, checked from outside the routers.

The bounds are those that docs/heartbeat.md states; `pace` is added where addresses have to be put up or taken down.
"""

from math import inf

from piranha.ha.channels import ChannelName
from piranha.ha.node import Node
from piranha.ha.states import Role, State
from tests.ha.original import OriginalRouter
from tests.ha.routers import NewRouter, Pace
from tests.ha.world import Agenda, Violation

Router = NewRouter | OriginalRouter


class Watcher:
    """Looks after each event who has the addresses, and compares with what the channels carried.

    A channel *works* while at least one datagram that counts came each way within deadtime (`works_s`: the shorter one,
    if the two routers have different ones).
    """

    def __init__(
        self,
        agenda: Agenda,
        routers: list[Router],
        keepalive_s: float,
        deadtime_s: float,
        works_s: float,
        pace: Pace,
    ) -> None:
        self.agenda, self.routers, self.pace = agenda, routers, pace
        self.keepalive_s, self.deadtime_s, self.works_s = keepalive_s, deadtime_s, works_s
        self.are_new = all(router.is_new for router in routers)
        self.disturbances = 0
        self.owners = 0
        self.longest_double_s = 0.0
        self.hand_over_gaps: list[float] = []
        self.must_be_one = False
        self.is_wire_good = False
        """Whether nothing is wrong with the wire and nothing wrong is still on it; the world says so."""
        self._accepted = {(index, channel): -inf for index in (0, 1) for channel in ChannelName}
        self._works_since = dict.fromkeys(ChannelName, inf)
        self._double_since = inf
        self._heard_since_double = [False, False]
        self._both_heard_at = inf
        self._latest_sent_at = [-inf, -inf]
        self._was_misled = [False, False]
        self._interrupted_at = -inf
        self._gap_since = inf
        self._mover: NewRouter | None = None
        self._mover_life = 0
        self._has_answered = False
        self._sole_since = [inf, inf]
        self._left_since = [inf, inf]
        self._last_had = [False, False]
        self._must_announce: tuple[Router, float, int, Router, int] | None = None
        self._lives_at_double = [0, 0]
        self._takes_at_peace = 0
        for router in routers:
            router.on_accept = self.accepted
        agenda.after_each.append(self.look)

    @property
    def takes(self) -> int:
        """Return how often addresses were put up."""
        return self.routers[0].takes + self.routers[1].takes

    def disturb(self) -> None:
        """Take note that something is about to go wrong, or to be ordered."""
        self.disturbances += 1
        self.is_wire_good = False

    def interrupted(self) -> None:
        """Take note that a process began, ended, stood still or went on: what it heard before it may not act on."""
        self._interrupted_at = self.agenda.now
        self._both_heard_at = inf
        self._heard_since_double = [False, False]

    def restarted(self) -> None:
        """Take note that a process began or ended: what was carried before belongs to another life."""
        self.interrupted()
        self._accepted = dict.fromkeys(self._accepted, -inf)
        self._works_since = dict.fromkeys(ChannelName, inf)

    def accepted(self, index: int, channel: ChannelName, sent_at: float, counts_from: float) -> None:
        """Take note that a router took a datagram for good."""
        now = self.agenda.now
        was_working = self.works(channel)
        self._accepted[index, channel] = max(self._accepted[index, channel], counts_from)
        if not was_working:
            if self._works_since[channel] < inf:
                self.disturbances += 1  # it had been silent for deadtime, and nobody else has counted that
            self._works_since[channel] = now if self.works(channel) else inf
        if sent_at < min(self._double_since, self._latest_sent_at[index]):
            self._was_misled[index] = True
        self._latest_sent_at[index] = max(self._latest_sent_at[index], sent_at)
        mover = self._mover
        if mover is not None and mover.index == index and counts_from > self._gap_since + self._offer_s:
            self._has_answered = True
        if self._double_since < inf and sent_at >= self._double_since:
            self._heard_since_double[index] = True
            if all(self._heard_since_double) and self._both_heard_at == inf:
                self._both_heard_at = now

    def works(self, channel: ChannelName) -> bool:
        """Say whether a channel works now."""
        since = self.agenda.now - self.works_s
        return self._accepted[0, channel] > since and self._accepted[1, channel] > since

    def look(self) -> None:
        """Check everything, after an event."""
        first, second = self.routers
        has = [first.has_addresses, second.has_addresses]
        now = self.agenda.now
        if has != self._last_had:
            self._changed(sum(has))
            self._last_had = has
        if self.owners != 1:
            if self.owners == 2 and self.are_new:
                self._watch_two(now)
            elif self.owners == 0:
                self._watch_move(now)
            if self.must_be_one and self._mover is None:
                self._fail(f"{self.owners} owners although all has been well for deadtime + 2 x keepalive")
        self._watch_the_last_one(0, first, second, now)
        self._watch_the_last_one(1, second, first, now)

    def _watch_two(self, now: float) -> None:
        """Two owners: only while no channel works, and for a tick after."""
        if now - self._both_heard_at > self.keepalive_s:
            self._fail(f"two owners for {now - self._both_heard_at:.3f} s after each heard the other")

    @property
    def _offer_s(self) -> float:
        """Return how long addresses are offered."""
        return self.keepalive_s if self.are_new else max(self.deadtime_s, 2 * self.keepalive_s)

    def _watch_move(self, now: float) -> None:
        """No owner in a hand-over: for the stated bound, unless who handed over failed or was told otherwise.

        The bound of a partner that dies is the offer and settling. One that was heard after the offer lives, and the
        two have to agree: that takes deadtime and a tick from the end of the offer, or from when it went on, until the
        mover believes that it is not heard, and deadtime if it then hears nothing either.
        """
        mover = self._mover
        if mover is None:
            return
        if not mover.is_able or mover.life != self._mover_life:
            self._mover = None
            return
        gap_s = now - self._gap_since
        bound_s = self._offer_s + self.deadtime_s
        if self._has_answered:
            begins_s = max(self._offer_s, self._interrupted_at - self._gap_since)
            bound_s = begins_s + 2 * self.deadtime_s + self.keepalive_s
        if gap_s > bound_s + self.pace.take_s + 2 * self.pace.late_s:
            self._fail(f"a hand-over left no owner for {gap_s:.3f} s; its bound is {bound_s:.3f} s")

    def _changed(self, owners: int) -> None:
        now, before = self.agenda.now, self.owners
        self.owners = owners
        if owners == 2:
            self._double_since, self._both_heard_at, self._heard_since_double = now, inf, [False, False]
            self._was_misled = [False, False]
            self._must_announce = None
            self._lives_at_double = [router.life for router in self.routers]
            working = [c for c in ChannelName if self.works(c) and now - self._works_since[c] > self.keepalive_s]
            if working and self.are_new:
                self._fail(f"two owners while the channel {working[0]} works")
        elif before == 2:
            if self._both_heard_at < inf:
                self.longest_double_s = max(self.longest_double_s, now - self._both_heard_at)
            self._expect_announcement(owners, now)
            self._double_since = self._both_heard_at = inf
        if owners == 0:
            self._gap_since = now
            movers = [
                router
                for router in self.routers
                if isinstance(router, NewRouter) and router.state is State.HANDING_OVER
            ]
            self._mover = movers[0] if movers else None
            self._mover_life = self._mover.life if self._mover else 0
            self._has_answered = False
        elif before == 0:
            if self._mover is not None:
                self.hand_over_gaps.append(now - self._gap_since)
            self._gap_since, self._mover = inf, None

    def _expect_announcement(self, owners: int, now: float) -> None:
        """Both had the addresses: who keeps them has to announce them after the other one let them go.

        Towards an original one the words that make either announce may be lost; so only where the wire is good. They
        have no sequence either: a STOPPED from before it had the addresses, which its RUNNING overtook on the way,
        cannot be told from the one with which it lets go. Then announcing on that one is enough.
        """
        self._must_announce = None
        if owners == 1 and (self.are_new or self.is_wire_good):
            stays, leaves = sorted(self.routers, key=lambda router: not router.has_addresses)
            if leaves.is_alive and stays.is_alive and self._can_know(stays, leaves):
                is_misled = not leaves.is_new and self._was_misled[stays.index]
                since = self._double_since if is_misled else now
                self._must_announce = (stays, since, stays.life, leaves, leaves.life)

    def _can_know(self, stays: Router, leaves: Router) -> bool:
        """Say whether the one that stays can know, or be told, that it has to announce its addresses."""
        if isinstance(leaves, OriginalRouter):
            is_same_life = leaves.life == self._lives_at_double[leaves.index]  # else an administrator took them down
            return is_same_life and self._heard_since_double[stays.index]
        if isinstance(stays, OriginalRouter):
            return stays.role is Role.PRIMARY  # the backup would yield
        return True

    def _watch_the_last_one(self, index: int, router: Router, other: Router, now: float) -> None:
        """One router that lives has the addresses within deadtime, settling and a tick.

        Between new ones a failed hand-over is the longest way, which is shorter than that; towards an original it is
        that. A partner that lives and says that it cannot be active is no longer waited for than a dead one.
        """
        if router.has_addresses or not isinstance(router, NewRouter) or not router.is_able:
            self._sole_since[index] = self._left_since[index] = inf
            return
        if other.is_able:
            self._sole_since[index] = self._left_since[index] = inf
            return
        self._sole_since[index] = inf if other.is_alive else min(self._sole_since[index], now)
        self._left_since[index] = min(self._left_since[index], now)
        assert router.failover is not None
        node: Node = router.failover.node
        deadtime_s, keepalive_s = self.deadtime_s, self.keepalive_s
        longest_s = deadtime_s + (2 * keepalive_s if self.are_new else deadtime_s + keepalive_s)
        slack_s = self.pace.drop_s + self.pace.take_s + 2 * self.pace.late_s
        if now - max(self._sole_since[index], node.stalled_at) > longest_s + slack_s:
            self._fail(f"{router.name} is alone, lives, and has not taken the addresses")
        if now - max(self._left_since[index], node.stalled_at) > 2 * (deadtime_s + keepalive_s) + slack_s:
            self._fail(f"{router.name} alone could be active, and has not taken the addresses")

    def _fail(self, what: str) -> None:
        self.agenda.tell("!", what)
        raise Violation(f"at {self.agenda.now:.4f} s: {what}")

    def expect_peace(self) -> None:
        """Take note that from now on there has to be one owner."""
        self.must_be_one = True
        self._takes_at_peace = self.takes
        self.look()

    def check_peace(self) -> None:
        """Check that all was quiet while all was well: at most one move, which is the fail-back."""
        if self.takes - self._takes_at_peace > 1:
            self._fail(f"the addresses moved {self.takes - self._takes_at_peace} times although all was well")
        self._check_announced()
        self.must_be_one = False

    def _check_announced(self) -> None:
        if self._must_announce is None:
            return
        stays, since, life, leaves, other_life = self._must_announce
        is_same = (life, other_life) == (stays.life, leaves.life)
        if is_same and stays.has_addresses and stays.announced_at < since:
            self._fail(f"{stays.name} did not announce its addresses after {leaves.name} had let go")

    def check_changes(self) -> None:
        """Check that the addresses moved no more often than things went wrong: a move and a fail-back for each."""
        if self.takes > self.disturbances:
            self._fail(f"the addresses were taken {self.takes} times, for {self.disturbances} disturbances")
