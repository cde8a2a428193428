"""An Apply that waits for its confirmation: kept on the disk before anything is switched, reverted unless confirmed.

Rule 1: what is decided stands in `config.unconfirmed`; here are the files, the clock of the boot, and the sentences.
Rule 2: a revert puts the old text into running.cf, and into lvs.cf if that still is what was applied: a text that
        somebody saved meanwhile stays, saved and not applied.
Rule 3: a disk that refuses does not keep what ran before from running again. The record stays then, so that a restart
        reverts too, and the files are tried again.

What changes something is called under the engine's lock, and does file I/O.
"""

import logging
from dataclasses import dataclass, replace

from piranha.config.unconfirmed import Fate, Unconfirmed, fate, remaining_s
from piranha.engine.caller import Caller
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.version import Version, version_of
from piranha.errors import ConfigConflict, ConfigUnavailable, ConfirmationPending, EditRefused, NothingPending
from piranha.messages import CONFIRM_LEAST_S, CONFIRM_MOST_S, SaveAnswer
from piranha.status import ConfirmationStatus
from piranha.system import confirmation_store
from piranha.system.boot import BootClock, monotonic, wall, wall_at

log = logging.getLogger("lvs")

ENGINE = Caller("engine")
AGAIN_S = 5.0
"""How soon a revert that the disk refused is tried again."""


@dataclass(frozen=True, slots=True)
class Reverted:
    """What was put back: the text to run, and how lvs.cf was saved (None: it was left alone).

    `trouble`: what the disk refused, or "". `sentence` is for a person.
    """

    kept: Unconfirmed
    version: Version
    saved: SaveAnswer | None
    sentence: str
    trouble: str = ""


class Confirming:
    """The Apply that waits, if one does."""

    def __init__(self, keeper: ConfigKeeper, clock: BootClock | None = None) -> None:
        self._keeper = keeper
        self._clock = clock or BootClock()
        self._kept: Unconfirmed | None = None
        self._is_reverting = False
        self._trouble = ""
        self._again_at = 0.0
        self._last = ""

    @property
    def now(self) -> float:
        """Return the seconds since this boot."""
        return self._clock.now()

    @property
    def kept(self) -> Unconfirmed | None:
        """Return what waits."""
        return self._kept

    @property
    def is_due(self) -> bool:
        """Say whether what waits has to be reverted now."""
        kept = self._kept
        if kept is None or self._is_reverting:
            return kept is not None and self.now >= self._again_at
        return kept.deadline is not None and fate(kept, kept.token, self._clock.boot_id(), self.now) is Fate.REVERT

    @property
    def is_reverting(self) -> bool:
        """Say whether a revert was begun and is not over: the disk, or the data path, refused it."""
        return self._is_reverting

    def objections(self) -> tuple[str, ...]:
        """Return why nothing can be applied now."""
        try:
            self.require_none()
        except ConfirmationPending as pending:
            return (str(pending),)
        return ()

    def status(self) -> ConfirmationStatus | None:
        """Return what the status says of what waits."""
        kept = self._kept
        if kept is None:
            return None
        left_s = remaining_s(kept, self.now)
        return ConfirmationStatus(
            kept.token,
            kept.serial_no,
            kept.before_token,
            kept.before_serial_no,
            kept.who,
            kept.from_address,
            kept.applied_at,
            kept.confirm_s,
            left_s,
            wall_at(monotonic() + left_s),
            self._trouble or ("It is being reverted." if self._is_reverting else ""),
        )

    def require_none(self) -> None:
        """Raise ConfirmationPending if an Apply waits."""
        kept = self._kept
        if kept is None:
            return
        by = Caller(kept.who, kept.from_address)
        if self._is_reverting:
            raise ConfirmationPending(f"The Apply by {by} is being reverted. {self._trouble}".strip())
        left_s = remaining_s(kept, self.now)
        until = wall_at(monotonic() + left_s)
        raise ConfirmationPending(
            f"The Apply by {by} waits for its confirmation until {until} ({left_s:.0f} s). Confirm it (the page of the "
            "plan, or `piranha confirm`) or revert it (`piranha revert`) first."
        )

    def require(self, token: str, asked_at: float | None = None) -> Unconfirmed:
        """Return what waits. `token`: which one is meant ("" : any); `asked_at`: when somebody asked to confirm it.

        Raises NothingPending if it does not wait, or did not any more at that moment.
        """
        kept = self._kept
        if kept is None:
            raise NothingPending(f"No Apply waits for a confirmation. {self._last}".strip())
        if token and token != kept.token:
            raise NothingPending(f"What waits for its confirmation is another version now: {kept.token[:12]}.")
        if self._is_reverting or (asked_at is not None and kept.deadline is not None and asked_at >= kept.deadline):
            raise NothingPending("It is too late to confirm: what ran before runs again.")
        return kept

    def begin(self, confirm_s: int, version: Version, before: Version | None, caller: Caller) -> None:
        """Keep on the disk what is about to be switched. Raises ConfigUnavailable: then nothing may be."""
        kept = Unconfirmed(
            boot_id=self._clock.boot_id(),
            deadline=None,
            confirm_s=confirm_s,
            token=version.token,
            serial_no=version.serial_no,
            before=None if before is None else before.raw,
            before_serial_no=None if before is None else before.serial_no,
            who=caller.user,
            from_address=caller.address,
            applied_at=wall(),
        )
        try:
            confirmation_store.write(self._keeper.paths, kept)
        except ConfigUnavailable:
            self.abandon()
            raise
        self._kept = kept

    def abandon(self) -> None:
        """Forget what was not switched after all; what stays on the disk then says nothing to the next start."""
        self._kept = None
        try:
            confirmation_store.remove(self._keeper.paths)
        except ConfigUnavailable as error:
            log.warning("%s", error)

    def count_from_now(self) -> None:
        """Begin the countdown: the switch is done."""
        if self._kept is None:
            return
        self._kept = replace(self._kept, deadline=self.now + self._kept.confirm_s)
        try:
            confirmation_store.write(self._keeper.paths, self._kept)
        except ConfigUnavailable as error:
            log.warning("%s If the engine is restarted meanwhile, the Apply is reverted at once.", error)

    def confirm(self, caller: Caller) -> None:
        """Let it run on. Raises ConfigUnavailable: it still waits then."""
        confirmation_store.remove(self._keeper.paths)
        self._kept = None
        self._last = f"The last one was confirmed by {caller} at {wall()}."

    def found(self, running_token: str | None, *, was_stopped: bool) -> Fate:
        """Take up at a start what a former engine left, and return what becomes of it. Raises ConfigUnavailable."""
        kept = confirmation_store.read(self._keeper.paths)
        decided = fate(kept, running_token, self._clock.boot_id(), self.now, was_stopped=was_stopped)
        if decided is Fate.FORGET:
            log.info("The Apply of %s is not what runs; its confirmation is no longer waited for.", kept and kept.who)
            self.abandon()
        elif kept is not None:
            self._kept = kept
        if kept is not None and decided is Fate.WAIT:
            log.warning(
                "lvs.cf applied by %s waits for its confirmation: %.0f s", kept.who, remaining_s(kept, self.now)
            )
        return decided

    def put_back(self, caller: Caller = ENGINE, *, is_stopped: bool = False) -> Reverted:
        """Put the files back and return what is to run; `end` is to be called when it does. Raises nothing.

        `is_stopped`: LVS is stopped, so that it runs at its start and not now.
        """
        kept = self._kept
        assert kept is not None
        saved, version, what, troubles = None, _before(kept), "", []
        again = "LVS is stopped" if is_stopped else "What ran before runs again"
        if kept.before is None:
            what = "Nothing ran before, so nothing runs; lvs.cf stays as it is, saved and not applied."
        else:
            try:
                saved = self._keeper.revert(kept.token, kept.before, caller)
                present = self._keeper.saved_version()
                if present is not None and present.token == saved.token:
                    version = present  # to the byte: lvs.cf is what runs then
            except (ConfigConflict, EditRefused):
                what = f"{again}. lvs.cf is what somebody saved meanwhile: it stays, not applied."
            except ConfigUnavailable as error:
                troubles.append(str(error))
                what = f"{again}, but lvs.cf could not be put back."
        if not what:
            is_again = "and what ran before is lvs.cf again" if is_stopped else "and is lvs.cf again"
            what = f"{again}, {is_again}: serial_no {version.serial_no}."
        try:
            self._keeper.note_applied(version)
        except ConfigUnavailable as error:
            troubles.append(str(error))
        how = "was not confirmed" if caller is ENGINE else f"was reverted by {caller}"
        sentence = f"The Apply by {Caller(kept.who, kept.from_address)} of {kept.applied_at} {how}. {what}"
        if not self._is_reverting:
            log.warning("%s", sentence)
        trouble = " ".join(dict.fromkeys(troubles))
        if trouble and trouble != self._trouble:
            log.error("The revert is not on the disk yet: %s", trouble)
        self._is_reverting, self._trouble = True, trouble
        self._again_at = self.now + AGAIN_S
        return Reverted(kept, version, saved, sentence, trouble)

    def end(self, reverted: Reverted) -> None:
        """Forget what waited, now that what ran before runs again; where the disk refuses, it is tried again."""
        if reverted.trouble:
            return
        self._kept, self._is_reverting = None, False
        self._last = reverted.sentence
        try:
            confirmation_store.remove(self._keeper.paths)
        except ConfigUnavailable as error:
            log.warning("%s It says nothing any more.", error)


def require_in_range(confirm_s: int) -> None:
    """Raise EditRefused for a number of seconds that no Apply waits."""
    if confirm_s and not CONFIRM_LEAST_S <= confirm_s <= CONFIRM_MOST_S:
        raise EditRefused(
            "",
            "confirm_s",
            f"An Apply waits {CONFIRM_LEAST_S} to {CONFIRM_MOST_S} seconds for its confirmation, not {confirm_s}.",
        )


def _before(kept: Unconfirmed) -> Version:
    """Return the text that ran; an empty one, with nothing to run in it, if there was none."""
    return version_of(kept.before or b"")
