"""What goes wrong in a life: the wire, the machines, the processes, their clocks, and orders at odd moments."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from piranha.ha.channels import ChannelName
from piranha.ha.events import Command
from tests.ha.original import OriginalRouter
from tests.ha.watcher import Router

if TYPE_CHECKING:
    from tests.ha.simulation import Life


def _loses(life: "Life") -> None:
    random = life.agenda.random
    share = random.choice((0.1, 0.3, 0.6, 0.9))
    for quality in life.wire.qualities.values():
        quality.loss = share if random.random() < 0.8 else 0.0
    life.agenda.tell("wire", f"loses {share:.0%}")


def _cuts(life: "Life") -> None:
    random = life.agenda.random
    ways = random.choice(
        [[(0, c) for c in ChannelName], [(1, c) for c in ChannelName], list(life.wire.qualities), []]
    ) or [random.choice(list(life.wire.qualities))]
    for way in ways:
        life.wire.qualities[way].is_cut = True
    life.agenda.tell("wire", f"is cut: {[('from ' + 'PB'[sender], str(channel)) for sender, channel in ways]}")
    life.later(lambda: _mends(life))


def _mends(life: "Life") -> None:
    for quality in life.wire.qualities.values():
        quality.is_cut = False
    life.agenda.tell("wire", "is mended")


def _muddles(life: "Life") -> None:
    random = life.agenda.random
    most = random.choice((0.5, 0.9, 2.5))
    for quality in life.wire.qualities.values():
        quality.delay_most_s = random.uniform(0, most) * life.plan.keepalive_s
        quality.doubles = random.choice((0.0, 0.3))
    life.agenda.tell("wire", "delays, doubles and reorders")


def _plays_back(life: "Life") -> None:
    """Repeat what came before, often enough that nothing would be silent, until all is made well."""
    life.agenda.tell("wire", "is listened to: what came before comes again")

    def again() -> None:
        life.wire.play_back()
        life.later(again, life.agenda.random.uniform(0, 1) * life.plan.keepalive_s, is_felt=False)

    again()


def _loses_power(life: "Life") -> None:
    router = life.some()
    if router.state is not None:
        router.kill(loses_power=True)
        life.watcher.restarted()
        life.later(life._boots(router))


def _is_killed(life: "Life") -> None:
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


def _stalls(life: "Life") -> None:
    router, for_s = life.some(), life.a_while_s()
    router.stall(for_s)
    life.watcher.interrupted()
    life.later(life.watcher.interrupted, for_s)


def _loses_link(life: "Life") -> None:
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


def _tell_link(life: "Life", router: Router, channel: ChannelName, *, is_up: bool) -> None:
    until = life.rounds

    def tell() -> None:
        if until != life.rounds:
            return
        if isinstance(router, OriginalRouter):
            router.link(channel, is_up=is_up)
        elif router.state is not None:
            router.reports(**{f"{channel}_up": is_up})
        else:
            router.report = replace(router.report, **{f"{channel}_up": is_up})  # type: ignore[arg-type]

    # Not both notice it at the same moment.
    life.agenda.within(life.plan.keepalive_s * 0.1, tell)


def _fails(life: "Life") -> None:
    router = life.some()
    if isinstance(router, OriginalRouter):
        router.lvsd_dies()
        return
    router.reports(is_well=False, reason="killed")
    life.later(lambda: router.reports(is_well=True, reason=""))


def _hands_over(life: "Life") -> None:
    _commands(life, Command.HAND_OVER)


def _hands_over_in_vain(life: "Life") -> None:
    """Hand over to a partner that dies, or stands still, at that moment."""
    owners = [router for router in life.routers if router.has_addresses]
    if len(owners) != 1:
        return
    heir = life.routers[1 - owners[0].index]
    if heir.state is not None and life.agenda.random.random() < 0.5:
        heir.kill(loses_power=True)
        life.watcher.restarted()
        life.later(life._boots(heir))
    else:
        heir.stall(life.a_while_s())
        life.watcher.interrupted()
    _commands(life, Command.HAND_OVER, owners[0])


def _takes_over(life: "Life") -> None:
    _commands(life, Command.TAKE_OVER)


def _commands(life: "Life", command: Command, router: Router | None = None) -> None:
    router = router or life.some()
    life.has_operator_moved = True
    if router.is_new:
        router.command(command)


def _holds(life: "Life") -> None:
    router = life.some()
    if router.is_new:
        router.command(Command.HOLD)
        life.later(lambda: router.command(Command.RELEASE))


def _stops(life: "Life") -> None:
    router = life.some()
    router.command(Command.STOP)
    life.later(lambda: router.command(Command.START))


def _changes_key(life: "Life") -> None:
    """Take one more step of a change of keys on the router that is behind: old, old and new, new and old, new."""
    router = min(life.routers, key=lambda each: life.key_steps[each.index])
    assert router.is_new
    life.key_steps[router.index] += 1
    old, step = divmod(life.key_steps[router.index], 3)
    keys = [(old,), (old, old + 1), (old + 1, old)][step]
    life.agenda.tell(router.name, f"has the keys {keys}")
    router.configure(router.settings, tuple(b"key %d" % key for key in keys))


def _applies(life: "Life") -> None:
    router = life.some()
    if router.is_new:
        digest = router.report.digest
        router.reports(digest=b"c" * 32)
        router.configure(router.settings, router.keys)
        life.later(lambda: router.reports(digest=digest))


def _steps_clock(life: "Life") -> None:
    life.some().step_clock(life.a_while_s(-1, 2))


TROUBLES: dict[str, Callable[["Life"], None]] = {
    "loses": _loses,
    "cuts": _cuts,
    "muddles": _muddles,
    "loses power": _loses_power,
    "is killed": _is_killed,
    "stalls": _stalls,
    "loses link": _loses_link,
    "fails": _fails,
    "hands over": _hands_over,
    "hands over in vain": _hands_over_in_vain,
    "takes over": _takes_over,
    "holds": _holds,
    "stops": _stops,
    "steps clock": _steps_clock,
    "applies": _applies,
    "plays back": _plays_back,
    "changes key": _changes_key,
}
BY_OPERATOR = ("hands over", "hands over in vain", "takes over", "holds", "stops", "applies", "changes key")


def troubles_of(pair: str, *, commands: bool) -> list[str]:
    """Return what may go wrong in a life of such a pair, or be ordered if there are `commands`."""
    troubles = [kind for kind in TROUBLES if commands or kind not in BY_OPERATOR]
    if pair != "new":
        troubles = [kind for kind in troubles if kind != "changes key"]
    if pair.startswith("original"):
        # Nothing protects an original, or words for it, from being repeated.
        troubles = [kind for kind in troubles if kind != "plays back"]
    return troubles
