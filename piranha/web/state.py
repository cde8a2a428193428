"""What one GUI process holds, and how a view gets at it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from piranha.client import EngineClient
from piranha.paths import Paths
from piranha.web.client_address import Networks
from piranha.web.log_brake import Brake
from piranha.web.sessions import ABSOLUTE_S, IDLE_S, SessionFolder
from piranha.web.throttle import RequestRate, Throttle

EXTENSION = "piranha"
USER = "piranha"
"""The one account of the GUI (manual 2.2)."""

EngineFor = Callable[[str, str], EngineClient]
"""Make a client that speaks on behalf of a user, from an address."""


@dataclass(frozen=True, slots=True)
class Gui:
    """The GUI's own things. `wall_clock` gives wall-clock seconds, `steady_clock` seconds that never go back.

    `idle_s`, `absolute_s`: how long a session lives without activity, and at most, seconds. `proxies`: whose
    X-Forwarded-For is believed.
    """

    paths: Paths
    folder: SessionFolder
    engine_for: EngineFor
    wall_clock: Callable[[], float] = time.time
    steady_clock: Callable[[], float] = time.monotonic
    throttle: Throttle = field(default_factory=Throttle)
    rate: RequestRate = field(default_factory=RequestRate)
    brake: Brake = field(default_factory=Brake)
    proxies: Networks = ()
    idle_s: float = IDLE_S
    absolute_s: float = ABSOLUTE_S


def gui() -> Gui:
    """Return the state of the GUI that serves this request."""
    return cast("Gui", current_app.extensions[EXTENSION])
