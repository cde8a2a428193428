"""`piranha sync` as the engine does it: this router's saved lvs.cf, and [failover], to the partner.

Rule 1: it goes in one direction, from the router where somebody asks for it. If the partner's was edited there it is
        refused, unless it is forced: an edit is never lost without somebody saying so.
Rule 2: whatever fails is an answer with an outcome and a sentence, and with both copies as far as they were heard.
Rule 3: ssh runs in a thread with a hard limit of time; nothing here waits for it but who asked.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from ipaddress import ip_address

import msgspec

from piranha.config.diffs import diff
from piranha.config.extensions import Extensions
from piranha.config.load import decode
from piranha.config.model import Address, Cluster, Host
from piranha.config.sync_settings import SyncSettings
from piranha.engine.audit import Audit
from piranha.engine.caller import Caller
from piranha.engine.events import Events
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.receiving import Receiving
from piranha.engine.version import Version
from piranha.errors import PiranhaError
from piranha.paths import Paths
from piranha.records import EventKind
from piranha.sync_frames import Frame, FrameProblem, OtherVersion, pack, unpack
from piranha.sync_messages import CopyState, Outcome, PartnerAnswer, PartnerRequest, Put, SyncAnswer, SyncRequest
from piranha.system import piranha_toml, ssh
from piranha.system.addresses import RouterAddresses
from piranha.system.ssh import Destination, SshFailed

log = logging.getLogger("lvs")

SHOW_S = 30.0
PUT_S = 150.0
"""How long the partner may take, seconds: its Apply waits for first checks."""
SENTENCE_MAX = 1000
_ORIGINAL = (
    "The partner is said to be an original router (partner in piranha.toml), which has no `piranha receive`. Copy the "
    "file by hand: scp {lvs_cf} root@PARTNER:{lvs_cf} and start its pulse again there; never send it a HUP."
)
_WHOSE = {
    Outcome.DIFFERENT: "",
    Outcome.PARTNER_EDITED: " The partner's was edited there, and this one was not.",
    Outcome.BOTH_EDITED: " Both were edited.",
}
Exchange = Callable[[Paths, Destination, bytes, float, threading.Event], bytes]


class Failed(PiranhaError):
    """The sync ends here; `outcome` says how."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


class Syncing:
    """Sends the copy below one root. `exchange` reaches the partner, `addresses` are those of this machine."""

    def __init__(
        self,
        keeper: ConfigKeeper,
        receiving: Receiving,
        events: Events,
        audit: Audit,
        exchange: Exchange = ssh.exchange,
        addresses: Callable[[], Collection[Address]] | None = None,
    ) -> None:
        self._keeper = keeper
        self._paths = keeper.paths
        self._receiving = receiving
        self._events = events
        self._audit = audit
        self._exchange = exchange
        self._addresses = addresses or addresses_here
        self._one_at_a_time = asyncio.Lock()

    async def sync(self, request: SyncRequest, caller: Caller) -> SyncAnswer:
        """Send the copy, or compare it. Raises ConfigUnavailable only where the audit cannot be written."""
        async with self._one_at_a_time:
            answer = SyncAnswer(Outcome.REFUSED, "", "")
            try:
                if request.dry_run:
                    return await self._compared(answer)
                async with self._audit.entry("sync", caller) as told:
                    answer = await self._compared(answer)
                    told.about = answer.partner
                    if answer.outcome is Outcome.DIFFERENT or (request.applies and not _runs_there(answer)):
                        answer = await self._sent(request, answer)
                    told.after_token = answer.here.token if answer.here is not None else ""
                    told.diff, told.reason = answer.diff, answer.sentence
            except _Ended as ended:
                return replace(ended.answer, outcome=ended.outcome, sentence=str(ended))
            if answer.outcome is Outcome.SENT:
                log.info("%s (%s)", answer.sentence, caller)
                self._events.say(EventKind.SYNCED, "", answer.sentence, caller)
            return answer

    async def reach(self) -> SyncAnswer:
        """Look whether this router reaches its partner with its own key."""
        return await self.sync(SyncRequest(dry_run=True), Caller())

    async def _compared(self, answer: SyncAnswer) -> SyncAnswer:
        """Return what differs. Raises _Ended, with what is known until then."""
        here = await self._receiving.state()
        answer = replace(answer, here=here)
        try:
            if here.problem:
                raise Failed(Outcome.REFUSED, here.problem)
            saved, extensions = await asyncio.to_thread(self._read)
            if saved is None:
                raise Failed(Outcome.REFUSED, f"There is no {self._paths.lvs_cf} here that could be sent.")
            to = await asyncio.to_thread(self._destination, saved.loaded.cluster, extensions)
            answer = replace(answer, partner=str(to))
            told, frame = await self._asked(to, PartnerRequest("show", known=here.token), b"", SHOW_S)
            there = told.state
            if there is None or len(frame.bodies) != 1:
                raise Failed(Outcome.OTHER_VERSION, f"{to} does not tell its copy. Are both of one version?")
            answer = replace(answer, there=there)
            if there.problem:
                raise Failed(Outcome.REFUSED, f"{to}: {there.problem}")
        except (Failed, SshFailed) as failed:
            raise _Ended(answer, failed.outcome, str(failed)) from failed
        except PiranhaError as error:
            raise _Ended(answer, Outcome.REFUSED, str(error)) from error
        if there.digest == here.digest:
            sentence = f"Both routers have the same lvs.cf: serial_no {_number(here)}, {here.token[:12]}."
            self._receiving.note_shared(here.shared_token)
            return replace(answer, outcome=Outcome.EQUAL, sentence=sentence)
        return await asyncio.to_thread(self._different, answer, here, there, saved.document.text, frame.bodies[0])

    def _different(self, answer: SyncAnswer, here: CopyState, there: CopyState, ours: str, theirs: bytes) -> SyncAnswer:
        """Return how two copies differ; with long files that takes its time."""
        partner = answer.partner
        return replace(
            answer,
            outcome=Outcome.DIFFERENT,
            sentence=_difference(here, there, partner) + _WHOSE[self._whose_edit(here, there)],
            diff=diff(decode(theirs), ours, f"lvs.cf of {partner}", str(self._paths.lvs_cf)),
            shared_diff=diff(there.shared_text, here.shared_text, "its piranha.toml", str(self._paths.piranha_toml)),
        )

    async def _sent(self, request: SyncRequest, answer: SyncAnswer) -> SyncAnswer:
        """Send the copy. Raises _Ended."""
        here, there = answer.here, answer.there
        assert here is not None and there is not None
        try:
            if here.waits or there.waits:
                where = "here" if here.waits else f"on {answer.partner}"
                raise Failed(Outcome.WAITS, f"Nothing was sent. An Apply waits {where}: {here.waits or there.waits}")
            if not request.force:
                await asyncio.to_thread(self._require_not_edited, here, there, answer.partner)
            saved, extensions = await asyncio.to_thread(self._read)
            if saved is None or saved.token != here.token:
                raise Failed(Outcome.OVERTAKEN, "lvs.cf was changed here just now. Nothing was sent; sync again.")
            to = await asyncio.to_thread(self._destination, saved.loaded.cluster, extensions)
            put = Put(there.token, here.shared_text, there.shared_token, ssh.own_name(), request.applies, request.force)
            told, _ = await self._asked(to, PartnerRequest("put", put=put), saved.raw, PUT_S)
            after = told.state
            answer = replace(answer, after=after)
            if after is None or after.digest != here.digest:
                raise Failed(Outcome.REFUSED, f"{to} has another lvs.cf than this router behind the sync. Sync again.")
        except (Failed, SshFailed) as failed:
            raise _Ended(answer, failed.outcome, str(failed)) from failed
        except PiranhaError as error:
            raise _Ended(answer, Outcome.REFUSED, str(error)) from error
        self._receiving.note_shared(here.shared_token)
        what = f"has the same lvs.cf as this router now: serial_no {_number(here)}, {here.token[:12]}"
        if not request.applies:
            return replace(answer, outcome=Outcome.SENT, sentence=f"{to} {what}. It was not applied there, as asked.")
        if told.sentence:
            sentence = f"{to} {what}. It does not run there: {_plain(told.sentence)}"
            raise _Ended(answer, Outcome.NOT_APPLIED, sentence)
        return replace(answer, outcome=Outcome.SENT, sentence=f"{to} {what}, and runs it.")

    async def _asked(
        self, to: Destination, request: PartnerRequest, body: bytes, within_s: float
    ) -> tuple[PartnerAnswer, Frame]:
        """Return the partner's answer. Raises Failed, SshFailed."""
        bodies = (body,) if request.put is not None else ()
        try:
            packed = pack(msgspec.json.encode(request), bodies)
        except FrameProblem as problem:
            raise Failed(Outcome.REFUSED, f"What is to be sent is too long. {problem}") from problem
        stop = threading.Event()
        try:
            raw = await asyncio.to_thread(self._exchange, self._paths, to, packed, within_s, stop)
        finally:
            stop.set()  # an engine that ends does not wait for a partner
        try:
            frame = unpack(raw)
            told = msgspec.json.decode(frame.header, type=PartnerAnswer)
        except OtherVersion as problem:
            raise Failed(Outcome.OTHER_VERSION, f"The answer of {to} is of another version. {problem}") from problem
        except (FrameProblem, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            sentence = f"{to} answers what this version does not understand: {problem} Are both of one version?"
            raise Failed(Outcome.OTHER_VERSION, sentence) from problem
        if told.problem:
            known = told.problem in {each.value for each in Outcome}
            outcome = Outcome(told.problem) if known else Outcome.REFUSED
            raise Failed(outcome, f"{to}: {_plain(told.sentence)}")
        return told, frame

    def _read(self) -> tuple[Version | None, Extensions]:
        return self._keeper.saved_version(), piranha_toml.load(self._paths) or Extensions()

    def _destination(self, cluster: Cluster, extensions: Extensions) -> Destination:
        """Return where the partner is. Raises Failed."""
        if extensions.failover.partner == "original":
            raise Failed(Outcome.REFUSED, _ORIGINAL.format(lvs_cf=self._paths.lvs_cf))
        settings = extensions.sync
        if settings.host:
            return Destination(settings.host, settings.port, settings.user)
        return destination_of(cluster, settings, self._addresses())

    def _require_not_edited(self, here: CopyState, there: CopyState, to: str) -> None:
        """Raise Failed if what the partner has was made there, and never was here."""
        whose = self._whose_edit(here, there)
        numbers = _numbers(here, there)
        if whose is Outcome.PARTNER_EDITED:
            sentence = (
                f"Nothing was sent. The configuration was edited on {to} ({numbers}), and not here. Sync from there: "
                "type piranha sync on it. --force sends ours all the same."
            )
            raise Failed(whose, sentence)
        if whose is Outcome.BOTH_EDITED:
            sentence = (
                f"Nothing was sent. The configuration was edited on both routers ({numbers}). Look at the difference "
                "(piranha sync --dry-run), bring into one of them what is to stay, and send that with --force."
            )
            raise Failed(whose, sentence)

    def _whose_edit(self, here: CopyState, there: CopyState) -> Outcome:
        """Return PARTNER_EDITED or BOTH_EDITED if the partner has what never was here, else DIFFERENT."""
        is_file_new = there.token not in {*(each.token for each in self._keeper.history().versions), here.token, ""}
        last = self._receiving.last_shared()
        is_table_new = there.shared_token not in (here.shared_token, last) and bool(last or there.shared_text)
        if not is_file_new and not is_table_new:
            return Outcome.DIFFERENT
        is_file_ours = not there.knows if is_file_new else there.token != here.token
        if is_table_new:
            is_table_ours = here.shared_token != last if last else bool(here.shared_text)
        else:
            is_table_ours = here.shared_token != there.shared_token
        return Outcome.BOTH_EDITED if is_file_ours or is_table_ours else Outcome.PARTNER_EDITED


class _Ended(PiranhaError):
    """A sync that failed, with what was known until then."""

    def __init__(self, answer: SyncAnswer, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = answer
        self.outcome = outcome


def destination_of(cluster: Cluster, settings: SyncSettings, here: Collection[Address]) -> Destination:
    """Return where the partner's heartbeats come from, by the addresses of this machine. Raises Failed."""
    primary, backup = _address(cluster.primary), _address(cluster.backup)
    if primary is not None and primary in here:
        partner, which = cluster.backup, "backup"
    elif backup is not None and backup in here:
        partner, which = cluster.primary, "primary"
    else:
        raise Failed(
            Outcome.NO_PARTNER,
            "Which router the partner is cannot be told: this one has neither the address of the primary nor that of "
            "the backup in lvs.cf. Write it into piranha.toml, for example with piranha pair --host HOST",
        )
    if partner is None or (not isinstance(partner, str) and int(partner) == 0):
        raise Failed(Outcome.NO_PARTNER, f"lvs.cf has no {which}, so there is no partner.")
    return Destination(str(partner), settings.port, settings.user)


def addresses_here() -> Collection[Address]:
    """Return the addresses of this machine. Raises PiranhaError where the kernel cannot be asked."""
    with RouterAddresses() as router:
        return {present.held.address for present in router.read().addresses}


def _address(host: Host | None) -> Address | None:
    return None if host is None or isinstance(host, str) else ip_address(host)


def _runs_there(answer: SyncAnswer) -> bool:
    return answer.there is not None and answer.here is not None and answer.there.running_token == answer.here.token


def _difference(here: CopyState, there: CopyState, to: str) -> str:
    if not there.token:
        return f"{to} has no lvs.cf; this router's has serial_no {_number(here)}."
    if there.token != here.token:
        return f"The two lvs.cf differ ({_numbers(here, there)})."
    return "lvs.cf is the same on both routers; [failover] of piranha.toml differs."


def _numbers(here: CopyState, there: CopyState) -> str:
    return f"serial_no {_number(here)} here, {_number(there)} there"


def _number(state: CopyState) -> str:
    return "none" if state.serial_no is None else str(state.serial_no)


def _plain(text: str) -> str:
    """Return what came from the partner as it may stand in a sentence."""
    return "".join(letter for letter in text if letter.isprintable())[:SENTENCE_MAX]
