"""The timeouts of connections: set, kept, put back."""

import pytest

from piranha.ipvs.timeouts import Seconds, timeouts_to_set

NONE = (0, 0, 0)
KERNELS = (900, 120, 300)


@pytest.mark.parametrize(
    ("wanted", "present", "originals", "setting", "remembered"),
    [
        (NONE, KERNELS, NONE, NONE, NONE),
        ((100, 0, 33), KERNELS, NONE, (100, 0, 33), (900, 0, 300)),
        ((100, 0, 33), (100, 120, 33), (900, 0, 300), NONE, (900, 0, 300)),
        ((200, 0, 33), (100, 120, 33), (900, 0, 300), (200, 0, 0), (900, 0, 300)),
        ((0, 0, 33), (100, 120, 33), (900, 0, 300), (900, 0, 0), (0, 0, 300)),
        (NONE, (100, 120, 33), (900, 0, 300), (900, 0, 300), NONE),
        ((900, 0, 0), KERNELS, NONE, NONE, NONE),
        ((100, 0, 0), KERNELS, (900, 0, 0), (100, 0, 0), (900, 0, 0)),
        (NONE, KERNELS, (900, 0, 0), NONE, NONE),
    ],
    ids=[
        "nothing asked, nothing done",
        "set and remembered",
        "right already",
        "changed, the first value is remembered",
        "one goes and comes back",
        "all come back",
        "right from the beginning: not ours",
        "the kernel's own again, after the module was loaded anew",
        "put back already",
    ],
)
def test_what_is_set_and_what_is_remembered(
    wanted: Seconds, present: Seconds, originals: Seconds, setting: Seconds, remembered: Seconds
) -> None:
    assert timeouts_to_set(wanted, present, originals) == (setting, remembered)
