"""Who makes the checks of an engine: workers, as many as piranha.toml says, or the engine itself."""

import logging
from collections.abc import Callable

from piranha.engine.kernel_tuning import policy_file
from piranha.engine.policy import read_policy
from piranha.errors import ConfigUnavailable
from piranha.nanny.rounds import Outcome
from piranha.nanny.workers import Workers, cores
from piranha.paths import Paths
from piranha.system import piranha_toml

log = logging.getLogger("lvs")


def workers_of(paths: Paths, tell: Callable[[Outcome], None]) -> Workers | None:
    """Return the workers that make the checks, which tell `tell`; None: the engine makes them itself.

    piranha.toml is read once: a running engine changes its workers at its next start. policy.toml, which says whom
    programs run as, is read with each Apply that brings checks by programs.
    """
    try:
        extensions = piranha_toml.load(paths)
    except ConfigUnavailable as problem:
        log.warning("%s So there is a nanny for each processor.", problem)
        extensions = None
    wanted = extensions.checks.workers if extensions is not None else None
    if wanted == 0:
        return None
    most = cores() if wanted is None else wanted
    return Workers(tell, most, run_as=lambda: read_policy(policy_file(paths)).run_as)
