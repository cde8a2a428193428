"""How many descriptors this process has left. Clients must not take the last ones: the checks, lvs.cf and the
API need some too, and above all when there are too many clients.
"""

import errno
import os
import resource

KEPT_MAX = 256
KEPT_PART = 8
"""One in so many is kept for the engine itself, KEPT_MAX at most."""


def require_some(handle: int) -> None:
    """Raise OSError (EMFILE) if new connections have to wait. `handle` is any open descriptor."""
    lowest_free = os.dup(handle)
    os.close(lowest_free)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and lowest_free >= limit - min(KEPT_MAX, limit // KEPT_PART):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
