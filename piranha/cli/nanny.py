"""The program nanny: a worker that lvs starts to make checks. It is nobody's command.

    python -P -m piranha.cli.nanny DESCRIPTOR PARENT_PID [USER]

Rule 1: everything is imported before privileges are given up: whoever it becomes may not be able to read it.
Rule 2: nothing is read from the socket, and no real server is talked to, before they are.
"""

import asyncio
import codecs
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

from piranha.nanny.worker import work
from piranha.system.confinement import NotConfined, confine, named, tie_to, unprivileged, user_named

NOT_CONFINED = 77
"""The exit code of one that could not give up its privileges."""
_CODECS = ("ascii", "latin-1", "utf-8", "unicode_escape", "idna", "punycode")
"""Python loads each when it is first used."""
_MEMORY_BYTES = 2 * 1024**3
_DESCRIPTORS = 65_536


def main() -> None:
    """Give up everything, then check what lvs says."""
    loops = _loop_factory()
    for name in _CODECS:
        codecs.lookup(name)
    talk, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    os.set_inheritable(talk.fileno(), False)
    for first, last in ((3, talk.fileno()), (talk.fileno() + 1, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(first, last)  # some loops let more through than what they are told
    named("nanny")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Who stops the engine often tells all its processes; this one ends with its socket. A handler, so that programs
        # do not inherit it.
        signal.signal(number, lambda *_: None)
    os.chdir("/")
    try:
        confine(
            user_named(sys.argv[3]) if len(sys.argv) > 3 else unprivileged(),
            {
                resource.RLIMIT_CORE: 0,
                resource.RLIMIT_DATA: _MEMORY_BYTES,
                resource.RLIMIT_NOFILE: _DESCRIPTORS,
            },
        )
        tie_to(parent)
    except NotConfined as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(NOT_CONFINED)
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    gc.freeze()
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(work(talk))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    main()
