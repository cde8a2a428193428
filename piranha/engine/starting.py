"""What an engine starts with: the text that it runs, and what was set by hand.

Rule 1: an Apply that waits for its confirmation is decided first (`config.unconfirmed`); where it is reverted, the text
        that ran before it runs, whatever lvs.cf says.
Rule 2: unattended, what was applied last runs again; behind an operator's stop in the same boot it is lvs.cf.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from piranha.config.faults import in_file_order
from piranha.config.model import Cluster
from piranha.config.unconfirmed import Fate
from piranha.engine import override_store
from piranha.engine.confirming import Confirming, Reverted
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.version import Version
from piranha.errors import ConfigUnavailable
from piranha.health.overrides import Override

log = logging.getLogger("lvs")

REFUSALS_TOLD = 5
"""In one sentence; the plan has all of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The text to start with (None: nothing runs), what the administrator should know, and the revert, if one was.

    `was_ordered`: an operator stopped the engine before, in the same boot.
    """

    version: Version | None
    messages: tuple[str, ...] = ()
    reverted: Reverted | None = None
    was_ordered: bool = False


def overrides_to_start(keeper: ConfigKeeper) -> tuple[tuple[Override, ...], tuple[str, ...]]:
    """Return what was set by hand, and what the administrator should know if that cannot be read."""
    try:
        return override_store.read(keeper.paths), ()
    except ConfigUnavailable as error:
        return (), (f"{error} No drain and no weight set by hand is in force.",)


def text_to_start(keeper: ConfigKeeper, confirming: Confirming) -> Choice:
    """Return the text to start with. Does file I/O; a disk in trouble is told and stops nothing."""
    messages: list[str] = []
    running: Version | None = None
    running_token: str | None = None
    was_ordered = keeper.take_stop_mark()
    try:
        running = keeper.running_version()
        running_token = running.token if running is not None else ""
    except ConfigUnavailable as error:
        messages.append(f"{error} So the saved lvs.cf is started with.")
    try:
        fate = confirming.found(running_token, was_stopped=was_ordered)
    except ConfigUnavailable as error:
        messages.append(f"{error} If an Apply waited for its confirmation, it is not reverted.")
        fate = Fate.NONE
    if fate is Fate.REVERT:
        reverted = confirming.put_back()
        return Choice(reverted.version, (reverted.sentence,), reverted, was_ordered)
    choice = _without_pending(keeper, running, messages, was_ordered=was_ordered)
    return replace(choice, was_ordered=was_ordered)


def text_for_operator(keeper: ConfigKeeper) -> Choice:
    """Return the text that an operator's start runs: lvs.cf, or what was applied last where that cannot be run.

    It is kept as what was applied last. Does file I/O; a disk in trouble is told and stops nothing.
    """
    try:
        return _without_pending(keeper, keeper.running_version(), (), was_ordered=True)
    except ConfigUnavailable as error:
        return _without_pending(keeper, None, (f"{error} So the saved lvs.cf is started with.",), was_ordered=True)


def _without_pending(
    keeper: ConfigKeeper, running: Version | None, messages: Sequence[str], *, was_ordered: bool
) -> Choice:
    if running is not None and not was_ordered:
        return Choice(running, tuple(messages))
    try:
        saved = keeper.saved_version()
    except ConfigUnavailable as error:
        return Choice(running, (*messages, f"{error} What was applied last runs." if running else str(error)))
    if saved is None:
        gone = f"{keeper.paths.lvs_cf} is missing; what was applied last runs."
        return Choice(running, (*messages, gone) if running else tuple(messages))
    if faults := refusals(saved):
        instead = "What was applied last runs." if running else "Nothing runs until they are mended and applied."
        return Choice(running, (*messages, f"lvs.cf has errors in what would run: {listed(faults)} {instead}"))
    try:
        keeper.note_applied(saved)
    except ConfigUnavailable as error:
        messages = (*messages, f"{error} lvs.cf runs, but it is not kept as what was applied last.")
    return Choice(saved, tuple(messages))


def refusals(version: Version) -> tuple[str, ...]:
    """Return the errors that forbid to run a text."""
    return tuple(fault.located("lvs.cf") for fault in in_file_order(version.loaded.faults) if fault.stops_apply)


def listed(reasons: Sequence[str]) -> str:
    """Return the first few reasons in one text: a file of another kind has one for each of its lines."""
    more = len(reasons) - REFUSALS_TOLD
    return " ".join([*reasons[:REFUSALS_TOLD], *([f"And {more} more; see the plan."] if more > 0 else [])])


def log_running(keeper: ConfigKeeper, version: Version) -> None:
    """Say in the log what is started, in the original's words."""
    cluster: Cluster = version.loaded.cluster
    if not cluster.active_virtual_servers:
        log.warning("no active lvs services defined in %s", keeper.paths.lvs_cf)
    for virtual in cluster.active_virtual_servers:
        log.info("starting virtual service %s active: %s", virtual.name, virtual.port)
