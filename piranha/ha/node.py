"""What a router knows of itself and its partner, and what follows from that. Pure; `now` is monotonic seconds."""

from dataclasses import dataclass
from math import inf

from piranha.ha.datagram import NO_HEALTH, HealthSummary, Heartbeat, PartnerKind, Said, Trailer
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import RANKS, Role, State


@dataclass(frozen=True, slots=True)
class Report:
    """What the engine finds out about this router.

    `public_up`, `private_up`: the links that carry the heartbeats. `is_well`: the balancer works. `is_ready`: its
    checks have run, its table is computed, and connections are in step. `reason`: why it is not well. `digest`: SHA-256
    of the configuration that runs.
    """

    public_up: bool = True
    private_up: bool = True
    is_well: bool = True
    is_ready: bool = False
    reason: str = ""
    digest: bytes = bytes(32)
    health: HealthSummary = NO_HEALTH


@dataclass(frozen=True, slots=True)
class PartnerFacts:
    """What was heard last. `heard_at` None: nothing yet. `trailer` None: an original partner.

    `ready_since`: since when, without a gap, a new partner could take the addresses back, None if it cannot.
    `lets_go`: it tells of addresses that it took down since it was heard before, or may have had some meanwhile.
    """

    kind: PartnerKind = PartnerKind.UNKNOWN
    heard_at: float | None = None
    said: Said | None = None
    trailer: Trailer | None = None
    ready_since: float | None = None
    lets_go: bool = False

    @property
    def is_owner(self) -> bool:
        """Say whether it said that it is active."""
        return self.said is Said.RUNNING

    @property
    def state(self) -> State:
        """Return its state; that of an original partner is what its one word means."""
        if self.trailer is not None:
            return self.trailer.state
        return State.ACTIVE if self.is_owner else State.PASSIVE


@dataclass(frozen=True, slots=True)
class Node:
    """All that one router's failover remembers. Times are monotonic seconds.

    `nonce`: this boot's random number. `since`: when the state began. `said`: the sequence of the last heartbeat, and
    `says_at` the time of the next one. `known_from`: the first sequence that tells of the present state, or of one of
    the same rank just before it, and `spell_at` when that was. `silent_from`: when deadtime began. `owns`: the
    addresses are here, or were ordered to be; `order` numbers the orders about them, `is_dropping` says that the last
    one was to drop them, `down_at` when that was done.
    `let_go`: the first sequence after some were there and went down, 0 if none did; `owes_word`: neither RUNNING nor
    STOPPED was said since then, so an original primary that took them may not have announced its own behind ours.
    `wants_until`: how long the partner is asked for them. `by_hand`: an operator wanted the hand-over under way;
    `by_hand_with`: the partner's boot with which the last one was made. `faults`, `failed_moves`: in a row;
    `retry_at`, `move_at`: not before. `links_at`: when a link changed. `looks_at`: when the next look was due; `gap_s`:
    how late the last one was that came too late; `stalled_at`: when that was noticed.
    """

    settings: Settings
    nonce: int
    state: State = State.IDLE
    since: float = 0.0
    said: int = 0
    says_at: float = 0.0
    known_from: int = 1
    spell_at: float = 0.0
    silent_from: float = 0.0
    partner: PartnerFacts = PartnerFacts()
    owns: bool = False
    order: int = 0
    is_dropping: bool = False
    down_at: float = 0.0
    let_go: int = 0
    owes_word: bool = False
    wants_until: float = 0.0
    by_hand: bool = False
    by_hand_with: int = 0
    in_conflict: bool = False
    faults: int = 0
    retry_at: float = 0.0
    failed_moves: int = 0
    move_at: float = 0.0
    report: Report = Report()
    links_at: float = 0.0
    looks_at: float = inf
    gap_s: float = 0.0
    stalled_at: float = -inf

    @property
    def is_public_lost(self) -> bool:
        """Say whether the public link counts as down. Without a partner nobody else could be active."""
        return self.settings.monitors_links and not self.settings.is_alone and not self.report.public_up

    @property
    def is_partner_original(self) -> bool:
        """Say whether the partner is, or is to be taken for, an original."""
        return self.settings.partner_is_original or self.partner.kind is PartnerKind.ORIGINAL

    @property
    def role(self) -> Role:
        """Return the role that decides: lvs.cf's, unless both routers claim the same one; then the greater nonce is
        the primary, so that a mistake in lvs.cf makes neither two owners nor none."""
        trailer = self.partner.trailer
        if trailer is None or trailer.role is not self.settings.role:
            return self.settings.role
        return Role.PRIMARY if self.nonce > trailer.nonce else Role.BACKUP


def word(node: Node) -> Said | None:
    """Return what a heartbeat says now, None if there is none to send.

    RUNNING exactly while the addresses are here. STOPPED makes an original partner take them at once, so a router that
    is undecided, or may still have some of an earlier life, does not say it: it says HELD, which means nothing to an
    original, or is silent where the partner is one.
    """
    if node.settings.is_alone:
        return None
    if node.owns:
        return Said.RUNNING
    if node.state is State.SETTLING or node.is_dropping:
        return None if node.is_partner_original else Said.HELD
    return Said.STOPPED


def is_known(node: Node, trailer: Trailer, now: float) -> bool:
    """Say whether the partner knew the present state when it said this, or evidently cannot hear of it."""
    return trailer.echo_sequence >= node.known_from or now - node.spell_at >= node.settings.known_after_s


def gives_way(node: Node, trailer: Trailer, now: float) -> bool:
    """Say whether what a new partner without the addresses said leaves them to this router.

    Both reckon with the same two states, each from words of a partner that knows its own; so never both.
    """
    mine, theirs = RANKS[node.state], RANKS[trailer.state]
    is_mine = mine > theirs or (mine == theirs > 0 and node.role is Role.PRIMARY)
    return is_mine and is_known(node, trailer, now)


def heir_problem(node: Node, now: float) -> str:
    """Return why the partner could not take the addresses, "" if it can."""
    partner = node.partner
    if node.settings.is_alone:
        return "no partner is configured"
    if partner.heard_at is None:
        return "the partner was never heard"
    if now - partner.heard_at >= node.settings.deadtime_s:
        return f"the partner was not heard for {now - partner.heard_at:.1f} s"
    if partner.is_owner:
        return "the partner is active too"
    trailer = partner.trailer
    if trailer is None:
        return "" if partner.said is Said.STOPPED else "the partner has not decided"
    if trailer.state not in (State.PASSIVE, State.SETTLING):
        return f"the partner is in state {trailer.state}"
    if not trailer.flags.is_ready:
        return "the partner is not ready"
    return "" if trailer.flags.public_up else "the partner's public link is down"


def could_be_back(node: Node, trailer: Trailer) -> bool:
    """Say whether a partner with this trailer is as good a place for the addresses as this router is."""
    report, flags = node.report, trailer.flags
    return (
        trailer.state is State.PASSIVE
        and flags.is_ready
        and flags.public_up
        and flags.private_up >= report.private_up
        and trailer.digest == report.digest
    )


def heard_facts(node: Node, heartbeat: Heartbeat, now: float) -> PartnerFacts:
    """Return what is known of the partner after a heartbeat."""
    before, trailer = node.partner, heartbeat.trailer
    was = before.trailer
    silence_s = inf if before.heard_at is None else now - before.heard_at
    ready_since = None
    # An original does not tell what it had: one that was silent for so long may have taken this router for dead.
    lets_go = trailer is None and heartbeat.said is Said.STOPPED and node.settings.deadtime_s <= silence_s < inf
    if trailer is not None and heartbeat.said is not Said.RUNNING:
        is_same = was is not None and was.nonce == trailer.nonce
        lets_go = trailer.let_go > (was.let_go if was is not None and is_same else 0)
        if could_be_back(node, trailer):
            goes_on = is_same and silence_s < node.settings.deadtime_s and before.ready_since is not None
            ready_since = before.ready_since if goes_on else now
    return PartnerFacts(heartbeat.kind, now, heartbeat.said, trailer, ready_since, lets_go)


def links_judged_at(node: Node) -> float:
    """Return when own links count as worse than the partner's, so that a cable that both share moves nothing."""
    return node.links_at + node.settings.link_judged_after_s


def fails_back_at(node: Node) -> float | None:
    """Return when an active backup gives the addresses back, None if not as things are."""
    partner, settings = node.partner, node.settings
    if settings.failback is not Failback.AUTO or node.role is not Role.BACKUP or node.in_conflict:
        return None
    if partner.ready_since is None or partner.trailer is None or partner.trailer.nonce == node.by_hand_with:
        return None
    return max(partner.ready_since + settings.failback_after_s, node.move_at)
