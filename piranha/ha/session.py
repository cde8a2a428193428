"""Whether a trailer is a fresh word of the partner's present life: nonces, echoes and sequences. Pure.

A datagram counts only if it echoes the nonce of this router's present boot, so a recording from an earlier one is worth
nothing; and only if its sequence is new, so a recording from this one is worth nothing either. A partner that restarted
has a nonce that is not known yet: it is answered once with that nonce echoed, and counts as soon as it echoes ours with
a sequence that we sent after its predecessor had been accepted.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from piranha.ha.datagram import Rejected, Trailer


class Accepted(StrEnum):
    """How a datagram counts."""

    FIRST = "the first of a boot of the partner"
    NEW = "new"
    COPY = "heard before, on the other channel"


@dataclass(frozen=True, slots=True)
class Session:
    """What two boots know of each other.

    `own`: this boot's nonce. `partner`: the nonce that counts, 0 before any; `heard`: its highest sequence. `floor`:
    our own sequence when it was accepted. `stranger`, `stranger_heard`: a nonce that does not count (yet), and its
    sequence. `on_channel`: the highest sequence on the public and the private channel.
    """

    own: int
    partner: int = 0
    heard: int = 0
    floor: int = 0
    stranger: int = 0
    stranger_heard: int = 0
    on_channel: tuple[int, int] = (0, 0)


def accept(session: Session, trailer: Trailer, last_said: int) -> tuple[Session, Accepted | Rejected]:
    """Return the session after a trailer, and whether it counts. `last_said`: our highest sequence until now."""
    if trailer.nonce == session.own:
        return session, Rejected.OWN
    echoes = trailer.echo_nonce == session.own and trailer.echo_sequence <= last_said
    if trailer.nonce != session.partner:
        if not echoes or trailer.echo_sequence <= session.floor:
            heard = max(trailer.sequence, session.stranger_heard if trailer.nonce == session.stranger else 0)
            return replace(session, stranger=trailer.nonce, stranger_heard=heard), Rejected.ECHO
        on_channel = _with(trailer, (0, 0))
        return Session(session.own, trailer.nonce, trailer.sequence, last_said, on_channel=on_channel), Accepted.FIRST
    if not echoes:
        return session, Rejected.ECHO
    if trailer.sequence <= session.on_channel[trailer.is_private]:
        return session, Rejected.OLD
    on_channel = _with(trailer, session.on_channel)
    if trailer.sequence <= session.heard:
        return replace(session, on_channel=on_channel), Accepted.COPY
    return replace(session, heard=trailer.sequence, on_channel=on_channel), Accepted.NEW


def _with(trailer: Trailer, on_channel: tuple[int, int]) -> tuple[int, int]:
    public, private = on_channel
    return (public, trailer.sequence) if trailer.is_private else (trailer.sequence, private)
