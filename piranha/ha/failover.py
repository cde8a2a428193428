"""Failover as a whole: raw datagrams in, orders and raw datagrams out. Pure: no socket, `now` is an argument.

    failover = Failover(settings, Addresses(...), nonce, now, keys=(key,))
    failover.command(Command.START, now)            -> orders
    failover.receive(raw, source, channel, now)     -> orders
    failover.down(order, were_any, now)             -> orders
    failover.report(report, now)                    -> orders
    failover.tick(now) at failover.next_at          -> orders

Whoever runs it does the orders in their sequence, takes the next look at `next_at` at the latest, and reads all
datagrams that wait before he ticks, so that a late look does not take a partner for dead whose words have come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from math import inf
from types import MappingProxyType
from typing import TypeAlias

from piranha.ha import machine
from piranha.ha.channels import Channel, ChannelName, counted, counted_bare, of_new_boot
from piranha.ha.datagram import NO_KEY, Flags, Heartbeat, Rejected, Trailer, decode, encode
from piranha.ha.events import Command
from piranha.ha.machine import Order, Say
from piranha.ha.node import Node, Report
from piranha.ha.session import Accepted, Session, accept
from piranha.ha.settings import Settings
from piranha.ha.states import State
from piranha.ha.uncounted import Uncounted

Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes to the partner's address on a channel."""

    channel: ChannelName
    raw: bytes


Outcome: TypeAlias = tuple[Order | Send, ...]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where heartbeats come from: those of the partner count, those of this router are its own."""

    partner: frozenset[Address]
    own: frozenset[Address]


class Failover:
    """One router's failover, with what it heard and what it did not believe. Its size does not grow."""

    def __init__(
        self, settings: Settings, addresses: Addresses, nonce: int, now: float, keys: Sequence[bytes] = ()
    ) -> None:
        """Make an idle one. `nonce`: random 64 bits, not 0, new at each start of the process.

        `keys`: the shared keys, the one to sign with first; none, or NO_KEY first, signs with none.
        """
        self.addresses = addresses
        self.keys = tuple(keys)
        self.node: Node = machine.new_node(self._with_key(settings), nonce, now)
        self.session = Session(nonce)
        self.is_big_endian = False
        self._channels = {name: Channel() for name in ChannelName}
        self._uncounted = Uncounted()
        self._answered_at = -inf

    @property
    def state(self) -> State:
        """Return what this router does."""
        return self.node.state

    @property
    def next_at(self) -> float:
        """Return when the next look is due."""
        return self.node.looks_at

    @property
    def channels(self) -> Mapping[ChannelName, Channel]:
        """Return what was heard on each channel."""
        return MappingProxyType(self._channels)

    @property
    def rejected(self) -> Mapping[Rejected, int]:
        """Return how many datagrams did not count, or had an unread trailer, for each reason."""
        return self._uncounted.counts

    def tick(self, now: float) -> Outcome:
        """Look what time brought."""
        return self._answer(machine.ticked(self.node, now))

    def command(self, command: Command, now: float) -> Outcome:
        """Do what an operator, or the service, asks for, or tell why not."""
        return self._answer(machine.commanded(self.node, command, now))

    def down(self, order: int, were_any: bool, now: float) -> Outcome:
        """Take note that the addresses are down as Drop(order) wanted, and whether any were there."""
        return self._answer(machine.down(self.node, order, were_any, now))

    def report(self, report: Report, now: float) -> Outcome:
        """Take note of what the engine found out."""
        return self._answer(machine.reported(self.node, report, now))

    def configure(self, settings: Settings, addresses: Addresses, keys: Sequence[bytes], now: float) -> Outcome:
        """Go on with other settings, addresses or keys."""
        self.addresses, self.keys = addresses, tuple(keys)
        return self._answer(machine.configured(self.node, self._with_key(settings), now))

    def _with_key(self, settings: Settings) -> Settings:
        return replace(settings, has_key=any(key != NO_KEY for key in self.keys))

    def receive(self, raw: bytes, source: Address, channel: ChannelName, now: float) -> Outcome:
        """Take note of a datagram. One that does not count is counted, and changes nothing."""
        if source not in self.addresses.partner:
            why = Rejected.OWN if source in self.addresses.own else Rejected.SOURCE
            return self._uncounted.note(why, source, now)
        heartbeat = decode(raw, self.keys, is_original=self.node.settings.partner_is_original)
        if isinstance(heartbeat, Rejected):
            return self._uncounted.note(heartbeat, source, now)
        trailer = heartbeat.trailer
        if trailer is not None:
            return self._receive_trailer(heartbeat, trailer, source, now)
        said = () if heartbeat.unread is None else self._uncounted.note(heartbeat.unread, source, now)
        self._channels[channel] = counted_bare(self._channels[channel], now)
        return said + self._answer(machine.heard(self.node, heartbeat, now))

    def _receive_trailer(self, heartbeat: Heartbeat, trailer: Trailer, source: Address, now: float) -> Outcome:
        self.session, outcome = accept(self.session, trailer, self.node.said)
        if isinstance(outcome, Rejected):
            said = self._uncounted.note(outcome, source, now)
            is_stranger = outcome is Rejected.ECHO and trailer.nonce == self.session.stranger
            return said + (self._greet(now) if is_stranger else ())
        if outcome is Accepted.FIRST:
            self._channels = {name: of_new_boot(each) for name, each in self._channels.items()}
        name = ChannelName.PRIVATE if trailer.is_private else ChannelName.PUBLIC
        self._channels[name] = counted(self._channels[name], trailer.sequence, now)
        if outcome is Accepted.COPY:
            return ()
        answer = self._answer(machine.heard(self.node, heartbeat, now))
        # The partner's new boot counts here; so that this one counts there too, it hears at once that it was heard.
        return answer + self._extra(self.session) if outcome is Accepted.FIRST else answer

    def _greet(self, now: float) -> Outcome:
        """Answer a nonce that does not count yet, seldom enough that nobody can make this router flood the wire."""
        if now - self._answered_at < self.node.settings.keepalive_s / 8:
            return ()
        self._answered_at = now
        session = self.session
        return self._extra(replace(session, partner=session.stranger, heard=session.stranger_heard))

    def _extra(self, session: Session) -> Outcome:
        self.node, say = machine.said(self.node)
        return () if say is None else self._datagrams(say, session)

    def _answer(self, answer: machine.Answer) -> Outcome:
        """Turn heartbeats into bytes for every channel."""
        self.node, orders = answer
        done: list[Order | Send] = []
        for order in orders:
            done += self._datagrams(order, self.session) if isinstance(order, Say) else (order,)
        return tuple(done)

    def _datagrams(self, say: Say, session: Session) -> Outcome:
        node, settings = self.node, self.node.settings
        names = tuple(ChannelName) if settings.has_private else (ChannelName.PUBLIC,)
        key = self.keys[0] if self.keys else NO_KEY
        return tuple(Send(name, encode(self._heartbeat(say, session, node, name), key)) for name in names)

    def _heartbeat(self, say: Say, session: Session, node: Node, name: ChannelName) -> Heartbeat:
        settings, report = node.settings, node.report
        if settings.partner_is_original:
            return Heartbeat(say.said, None, self.is_big_endian)
        trailer = Trailer(
            state=node.state,
            role=settings.role,
            nonce=node.nonce,
            echo_nonce=session.partner,
            sequence=say.sequence,
            echo_sequence=session.heard,
            let_go=node.let_go,
            is_private=name is ChannelName.PRIVATE,
            flags=Flags(
                wants=node.wants_until > 0,
                by_hand=node.by_hand,
                is_ready=report.is_ready,
                public_up=report.public_up or not settings.monitors_links,
                private_up=report.private_up or not settings.monitors_links,
            ),
            digest=report.digest,
            keepalive_s=settings.keepalive_s,
            deadtime_s=settings.deadtime_s,
            health=report.health,
        )
        return Heartbeat(say.said, trailer, self.is_big_endian)
