"""`piranha receive`: what the partner's ssh key may do here, and nothing else. It answers one request and ends.

The request comes from another machine, so nothing of it is believed: its length, its form and every value are checked,
and what it asks for is done by the engine, as the engine does everything.
"""

import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click
import msgspec

from piranha.client import EngineClient
from piranha.errors import (
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EngineUnavailable,
    PiranhaError,
)
from piranha.paths import Paths
from piranha.sync_frames import FRAME_MAX, Frame, FrameProblem, OtherVersion, pack, unpack
from piranha.sync_messages import (
    CopyState,
    Outcome,
    PartnerAnswer,
    PartnerRequest,
    ReceiveRequest,
    SyncRequest,
)
from piranha.system import heartbeat_key

if TYPE_CHECKING:
    from piranha.cli.main import Session

READ_S = 60
"""How long a request may take to come in; then the process is ended by the kernel."""
_NAME_MAX = 64
_LOOKS = 5


class _Refused(PiranhaError):
    """The request cannot be done; `outcome` says why to the partner's program."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


@click.command()
@click.option("--pairing", "is_pairing", is_flag=True, help="Take the keys that `piranha pair` of the partner sends.")
@click.pass_obj
def receive(session: "Session", is_pairing: bool) -> None:
    """Answer one request of the partner, from standard input. Nobody types this: ssh runs it for the partner.

    Exit code 0: it was answered, and the answer says what came of it.
    """
    if sys.stdin.isatty():
        raise click.UsageError("This is for the partner's ssh. `piranha sync` sends, `piranha pair` makes the keys.")
    signal.alarm(READ_S)
    raw = sys.stdin.buffer.read(FRAME_MAX + 1)
    signal.alarm(0)
    if is_pairing:
        # Not loaded for every sync: it takes as long as all the rest.
        from piranha.cli.accepting import paired

        answer = pack(msgspec.json.encode(paired(session.paths, raw)))
    else:
        came_from = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
        engine = EngineClient(session.paths.socket, user="partner", from_=came_from)
        answer = answered(session.paths, engine, raw)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def answered(paths: Paths, engine: EngineClient, raw: bytes) -> bytes:
    """Return the frame that answers a frame. Whatever comes in, an answer goes out."""
    body: tuple[bytes, ...] = ()
    try:
        request, frame = _request(raw)
        if request.verb == "show":
            state, content = _shown(engine, request.known)
            answer, body = PartnerAnswer(state=state), (content,)
        elif request.verb == "put":
            answer = _put(engine, request, frame)
        elif request.verb == "reach":
            answer = _reached(engine)
        else:
            raise _Refused(Outcome.OTHER_VERSION, f"There is no {request.verb!r:.40} here.")
    except PiranhaError as error:
        answer, body = PartnerAnswer(problem=str(_outcome_of(error)), sentence=_sentence_of(error)), ()
    try:
        return pack(msgspec.json.encode(_with_keys(paths, answer)), body)
    except FrameProblem as problem:
        sentence = f"The copy here does not fit into an answer. {problem}"
        return pack(msgspec.json.encode(PartnerAnswer(problem=str(Outcome.REFUSED), sentence=sentence)))


def _request(raw: bytes) -> tuple[PartnerRequest, Frame]:
    try:
        frame = unpack(raw)
        return msgspec.json.decode(frame.header, type=PartnerRequest), frame
    except OtherVersion as problem:
        raise _Refused(Outcome.OTHER_VERSION, f"The request is of another version. {problem}") from problem
    except (FrameProblem, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _Refused(Outcome.REFUSED, f"The request is not understood: {problem}") from problem


def _shown(engine: EngineClient, known: str) -> tuple[CopyState, bytes]:
    """Return the copy and the bytes of lvs.cf, of one moment."""
    for _ in range(_LOOKS):
        state, saved = engine.copy(known), engine.config()
        if saved.problem:
            raise ConfigUnavailable(saved.problem)
        if state.token == (saved.token if saved.exists else ""):
            return state, saved.text.encode(saved.encoding)
    raise _Refused(Outcome.OVERTAKEN, "lvs.cf changes faster than it can be read. Sync again.")


def _put(engine: EngineClient, request: PartnerRequest, frame: Frame) -> PartnerAnswer:
    put = request.put
    if put is None or len(frame.bodies) != 1:
        raise _Refused(Outcome.REFUSED, "The request has no lvs.cf.")
    name = (_plain(put.name) or "the partner") + (" (forced)" if put.force else "")
    received = engine.receive(ReceiveRequest(frame.bodies[0], put.token, put.shared_text, put.shared_token, name))
    not_applied = ""
    if put.applies:
        try:
            engine.apply(token=received.state.token)
        except PiranhaError as error:
            not_applied = str(error)
    return PartnerAnswer(sentence=not_applied, state=engine.copy())


def _reached(engine: EngineClient) -> PartnerAnswer:
    """Say whether this router reaches the one that asks."""
    told = engine.sync(SyncRequest(dry_run=True))
    if told.outcome in (Outcome.EQUAL, Outcome.DIFFERENT):
        return PartnerAnswer(sentence=told.sentence)
    raise _Refused(told.outcome, told.sentence)


def _outcome_of(error: PiranhaError) -> Outcome:
    match error:
        case _Refused():
            return error.outcome
        case EngineUnavailable():
            return Outcome.NO_ENGINE
        case ConfirmationPending():
            return Outcome.WAITS
        case ConfigConflict():
            return Outcome.OVERTAKEN
        case _:
            return Outcome.REFUSED


def _sentence_of(error: PiranhaError) -> str:
    match error:
        case EngineUnavailable():
            return f"{error} Start pulse there."
        case ConfigConflict():
            return f"{error.part or 'lvs.cf'} was changed there just now. Nothing was written; sync again."
        case _:
            return str(error)


def _with_keys(paths: Paths, answer: PartnerAnswer) -> PartnerAnswer:
    """Return the answer with what may be shown of the heartbeats' keys."""
    try:
        keys = heartbeat_key.read(paths)
    except ConfigUnavailable:
        keys = ()
    shown = tuple(map(heartbeat_key.fingerprint, keys))
    return replace(answer, keys=shown)


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_NAME_MAX]
