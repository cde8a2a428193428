"""Running the programs that tell the load of real servers: found safely, as nobody in particular, and bounded.

A program is found as `config.programs` says and refused where others than root could replace it. It runs without a
shell, without privileges, in a process group of its own that is killed at its end and at its limit.
"""

import ctypes
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from piranha.config.model import Address
from piranha.config.programs import candidates, doubt_of, is_executable
from piranha.errors import PiranhaError
from piranha.health.load import OUTPUT_MAX
from piranha.health.load_questions import LIMIT_S, Question
from piranha.system import bounded
from piranha.system.bounded import FIXED_PATH
from piranha.system.confinement import NotConfined, User, unprivileged, user_named
from piranha.system.ways import follow, way_to

_PR_SET_NO_NEW_PRIVS = 38
_SAID_MAX = 160
_LOOKS_AT_ONCE = 16


class NoAnswer(PiranhaError):
    """A question for a load without an answer, and why, as a sentence without its full stop."""


class Ask(Protocol):
    """What runs the program of a question and returns what it printed."""

    def __call__(self, question: Question, stop: threading.Event, run_as: str) -> bytes:
        """Return the output. Raises NoAnswer. It blocks, never longer than the limit, and ends soon after `stop`.

        `run_as`: the name of the user that the program runs as, "" for nobody in particular.
        """


def forbid_new_privileges() -> None:
    """Have nothing that this thread starts get privileges, by a set-user-ID bit or otherwise (prctl(2)).

    It holds for this thread alone and for good: threads that ask begin with it.
    """
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def ask(
    question: Question,
    stop: threading.Event,
    run_as: str = "",
    *,
    within_s: float = LIMIT_S,
    user: Callable[[str], User | None] = lambda name: user_named(name) if name else unprivileged(),
) -> bytes:
    """Run the program of a question; return what it printed. Raises NoAnswer. It blocks, `within_s` at most."""
    program, *words = question.words
    doubt = doubt_of(program, way_to(program))
    if doubt is not None:
        raise NoAnswer(doubt.what.message.rstrip("."))
    environment = {"PATH": FIXED_PATH, "LC_ALL": "C"}
    try:
        ran = bounded.run(
            [_found(program), *words],
            b"",
            within_s=within_s,
            output_max=OUTPUT_MAX,
            environment=environment,
            stop=stop,
            user=user(run_as),
        )
    except (bounded.TooLate, bounded.TooMuch, bounded.Stopped, NotConfined) as problem:
        raise NoAnswer(str(problem).rstrip(".")) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise NoAnswer(f"{program} cannot be started: {said}") from error
    if ran.status:
        how = f"with status {ran.status}" if ran.status > 0 else f"by signal {-ran.status}"
        raise NoAnswer(f"{program} ended {how}: {_last_line(ran.errors)}")
    if not ran.output.strip():
        # Some programs end well without an answer: rup, if nobody listens there.
        raise NoAnswer(f"{program} answered nothing" + (f": {_last_line(ran.errors)}" if ran.errors.strip() else ""))
    return ran.output


def names_of(addresses: Collection[Address], limit_s: float) -> dict[Address, tuple[str, ...]]:
    """Return the names that the resolver knows of each address, within `limit_s` for all of them; none if it is late.

    A call into the resolver cannot be stopped, so that threads make it that nobody waits for any longer.
    """
    asked: SimpleQueue[Address] = SimpleQueue()
    told: SimpleQueue[tuple[Address, tuple[str, ...]]] = SimpleQueue()
    answers: dict[Address, tuple[str, ...]] = dict.fromkeys(addresses, ())
    for address in answers:
        asked.put(address)

    def look_up() -> None:
        with suppress(Empty):
            while time.monotonic() < ends_at:
                address = asked.get_nowait()
                told.put((address, _names(address)))

    ends_at = time.monotonic() + limit_s
    for number in range(min(_LOOKS_AT_ONCE, len(answers))):
        threading.Thread(target=look_up, name=f"names {number}", daemon=True).start()
    with suppress(Empty):
        for _ in range(len(answers)):
            address, names = told.get(timeout=max(0.0, ends_at - time.monotonic()))
            answers[address] = names
    return answers


def _names(address: Address) -> tuple[str, ...]:
    try:
        name, others, _ = socket.gethostbyaddr(str(address))
    except OSError:
        return ()
    return (name, *others)


def _found(program: str) -> str:
    """Return the path of a program, links in it kept: some programs do what the name says that they are called by."""
    return next((path for path in candidates(program) if is_executable(follow(path))), program)


def _last_line(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    last = lines[-1] if lines else "it says nothing"
    return "".join(letter for letter in last if letter.isprintable())[:_SAID_MAX].rstrip(".")
