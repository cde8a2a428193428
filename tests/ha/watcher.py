"""What must hold at every moment: the invariants of failover, checked from outside the routers."""

from math import inf

from piranha.ha.channels import ChannelName
from piranha.ha.node import Node
from piranha.ha.states import State
from tests.ha.original import OriginalRouter
from tests.ha.routers import NewRouter
from tests.ha.world import Agenda, Violation

Router = NewRouter | OriginalRouter


class Watcher:
    """Looks after each event who has the addresses, and compares with what the channels carried.

    A channel *works* while at least one datagram that counts came each way within deadtime (`works_s`: the shorter one,
    if the two routers have different ones).
    """

    def __init__(
        self, agenda: Agenda, routers: list[Router], keepalive_s: float, deadtime_s: float, works_s: float
    ) -> None:
        self.agenda, self.routers = agenda, routers
        self.keepalive_s, self.deadtime_s, self.works_s = keepalive_s, deadtime_s, works_s
        self.are_new = all(router.is_new for router in routers)
        self.disturbances = 0
        self.disturbed_at = -inf
        self.owners = 0
        self.longest_gap_s = 0.0
        self.hand_over_gaps: list[float] = []
        self._accepted = {(index, channel): -inf for index in (0, 1) for channel in ChannelName}
        self._works_since = dict.fromkeys(ChannelName, inf)
        self._double_since = inf
        self._heard_since_double = [False, False]
        self._both_heard_at = inf
        self._gap_since = inf
        self._gap_is_move = False
        self._moved_from: NewRouter | None = None
        self._sole_since = [inf, inf]
        self._left_since = [inf, inf]
        self.must_be_one = False
        self._must_announce: tuple[Router, float, int, Router, int] | None = None
        for router in routers:
            router.on_accept = self.accepted
        agenda.after_each.append(self.look)

    def disturb(self) -> None:
        """Take note that something is about to go wrong, or to be ordered."""
        self.disturbances += 1
        self.disturbed_at = self.agenda.now
        self._both_heard_at = inf
        self._heard_since_double = [False, False]
        self._gap_is_move = False

    def restarted(self) -> None:
        """Take note that a process began or ended: what was carried before belongs to another life."""
        self._accepted = dict.fromkeys(self._accepted, -inf)
        self._works_since = dict.fromkeys(ChannelName, inf)

    def accepted(self, index: int, channel: ChannelName, sent_at: float, counts_from: float) -> None:
        """Take note that a router took a datagram for good."""
        now = self.agenda.now
        was_working = self.works(channel)
        self._accepted[index, channel] = max(self._accepted[index, channel], counts_from)
        if not was_working:
            if self._works_since[channel] < inf:
                self.disturbances += 1
            self._works_since[channel] = now if self.works(channel) else inf
        if self._double_since < inf and sent_at >= self._double_since:
            self._heard_since_double[index] = True
            if all(self._heard_since_double) and self._both_heard_at == inf:
                self._both_heard_at = now

    def works(self, channel: ChannelName) -> bool:
        """Say whether a channel works now."""
        return all(self.agenda.now - self._accepted[index, channel] < self.works_s for index in (0, 1))

    def look(self) -> None:
        """Check everything, after an event."""
        owners = sum(router.has_addresses for router in self.routers)
        if owners != self.owners:
            self._changed(owners)
        now = self.agenda.now
        if owners == 2 and self.are_new and now - self._both_heard_at > self.keepalive_s * 1.25:
            self._fail(f"two owners for {now - self._both_heard_at:.3f} s after each heard the other")
        if self.must_be_one and owners != 1 and not self._is_short_move(now):
            self._fail(f"{owners} owners although all has been well for deadtime + 2 x keepalive")
        self._watch_the_last_one(now)

    def _changed(self, owners: int) -> None:
        now, before = self.agenda.now, self.owners
        self.owners = owners
        if owners == 2:
            self._double_since, self._both_heard_at, self._heard_since_double = now, inf, [False, False]
            working = [c for c in ChannelName if self.works(c) and now - self._works_since[c] > self.keepalive_s]
            if working and self.are_new:
                self._fail(f"two owners while the channel {working[0]} works")
        elif before == 2:
            self._double_since = self._both_heard_at = inf
            self._must_announce = None
            if owners == 1:
                stays, leaves = sorted(self.routers, key=lambda router: not router.has_addresses)
                if self.are_new and leaves.is_alive and stays.is_alive:
                    self._must_announce = (stays, now, stays.life, leaves, leaves.life)
        elif owners == 2:
            self._must_announce = None
        if owners == 0:
            self._gap_since = now
            leavers = [
                router
                for router in self.routers
                if isinstance(router, NewRouter) and router.state is State.HANDING_OVER
            ]
            self._moved_from = leavers[0] if leavers else None
            self._gap_is_move = bool(leavers)
        elif before == 0 and self._gap_since < inf:
            gap_s = now - self._gap_since
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
            if self._gap_is_move and self._moved_from is not None:
                self._check_move(gap_s, self._moved_from.settings.hand_over_s(not self.are_new))
            self._gap_since, self._gap_is_move = inf, False

    def _check_move(self, gap_s: float, bound_s: float) -> None:
        self.hand_over_gaps.append(gap_s)
        if gap_s > bound_s + self.keepalive_s:
            self._fail(f"a hand-over left no owner for {gap_s:.3f} s; its bound is {bound_s:.3f} s")

    def _is_short_move(self, now: float) -> bool:
        is_short = now - self._gap_since < self.keepalive_s if self.are_new else now - self._gap_since < self.deadtime_s
        return self.owners == 0 and self._gap_is_move and is_short

    def _watch_the_last_one(self, now: float) -> None:
        """One router that lives has the addresses within deadtime, settling and a tick."""
        for index, router in enumerate(self.routers):
            if router.has_addresses or not router.is_new or not router.is_able:
                self._sole_since[index] = self._left_since[index] = inf
                continue
            other = self.routers[1 - index]
            self._sole_since[index] = inf if other.is_alive else min(self._sole_since[index], now)
            self._left_since[index] = inf if other.is_able else min(self._left_since[index], now)
            deadtime_s, keepalive_s = self.deadtime_s, self.keepalive_s
            longest_s = deadtime_s + (2 * keepalive_s if self.are_new else deadtime_s + 2 * keepalive_s)
            if now - max(self._sole_since[index], self._since(router)) > longest_s:
                self._fail(f"{router.name} is alone, lives, and has not taken the addresses")
            if self.are_new and now - self._left_since[index] > 3 * (deadtime_s + keepalive_s):
                self._fail(f"{router.name} alone could be active, and has not taken the addresses")

    def _since(self, router: NewRouter | OriginalRouter) -> float:
        """Return since when a router could know that it is alone: the time that it stood still does not count."""
        if isinstance(router, NewRouter) and router.failover is not None:
            node: Node = router.failover.node
            return node.stalled_at
        return -inf

    def _fail(self, what: str) -> None:
        self.agenda.tell("!", what)
        raise Violation(f"at {self.agenda.now:.4f} s: {what}")

    def check_announced(self) -> None:
        """Check that who kept the addresses announced them after the other one had let them go."""
        if self._must_announce is None:
            return
        stays, since, life, leaves, other_life = self._must_announce
        is_same = (life, other_life) == (stays.life, leaves.life)
        if isinstance(stays, NewRouter) and is_same and stays.has_addresses and stays.announced_at < since:
            self._fail(f"{stays.name} did not announce its addresses after {leaves.name} had let go")

    def check_changes(self) -> None:
        """Check that the addresses moved no more often than things went wrong."""
        takes = sum(router.takes for router in self.routers)
        if takes > 2 + 2 * self.disturbances:
            self._fail(f"the addresses were taken {takes} times, for {self.disturbances} disturbances")
