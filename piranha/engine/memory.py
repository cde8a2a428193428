"""What stays in memory is not searched for garbage again and again.

With 20,000 real servers a full search stops everything for half a second, and it comes every few turns: what runs is
made of a million objects, none of which is garbage.
"""

import gc

MANY = 2000
"""Real servers from which on it matters."""
LARGE = 100_000
"""Bytes of lvs.cf from which on it matters: some hundreds of thousands of objects say what is in them."""


def settle(servers: int) -> None:
    """Take what is there now for what stays, if it is much; to be called when another text runs.

    What stayed before and does no more is searched once.
    """
    if servers >= MANY:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
    elif gc.get_freeze_count():
        gc.unfreeze()


def keep(size: int) -> None:
    """Take what was made of a text of so many bytes for what stays, if it is large, until another text runs.

    It has no rings in it, so that it goes when nobody needs it any more.
    """
    if size >= LARGE:
        gc.freeze()
