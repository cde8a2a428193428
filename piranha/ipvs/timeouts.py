"""The kernel's connection timeouts: what to set, and what to remember so that it can be put back.

Three numbers each time, in seconds: TCP, TCP after a FIN, UDP (`tcp_timeout`, `tcpfin_timeout`, `udp_timeout`).
"""

Seconds = tuple[int, int, int]


def timeouts_to_set(wanted: Seconds, present: Seconds, originals: Seconds) -> tuple[Seconds, Seconds]:
    """Return (what to set, 0 for what stays; the originals to remember, 0 for none).

    `wanted` 0 leaves one as it is; if we had changed it, its original comes back. `originals` are what was there before
    we changed it for the first time.
    """
    setting, remembered = [], []
    for want, there, original in zip(wanted, present, originals, strict=True):
        goal = want or original
        setting.append(goal if goal != there else 0)
        if want:
            # What was right from the beginning is not ours to put back.
            remembered.append(original or (there if there != want else 0))
        else:
            remembered.append(0)
    return _three(setting), _three(remembered)


def _three(values: list[int]) -> Seconds:
    first, second, third = values
    return first, second, third
