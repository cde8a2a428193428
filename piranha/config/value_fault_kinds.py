r"""The kinds of faults of single keywords and values."""

from piranha.config.fault_types import FaultGroup, error, kind, note, warning

KEYWORDS = FaultGroup(
    "Keywords",
    (
        kind(
            "unknown-keyword",
            "The keyword is unknown; the line is kept and has no effect.",
            "Mend its spelling, or remove it.",
            warning("keepalife = 6\n"),
        ),
        kind(
            "misplaced-keyword",
            "The keyword has no effect here; it belongs to another kind of block.",
            "Move it there, or remove it.",
            warning("port = 80\n"),
        ),
        kind(
            "alias",
            "A misspelling of old programs and manuals; it is understood.",
            "Write the right keyword.",
            warning("debug = NONE\n"),
        ),
        kind(
            "duplicate-keyword",
            "A keyword stands twice in a block; the last one counts.",
            "Remove one.",
            warning("keepalive = 6\nkeepalive = 9\n"),
        ),
        kind(
            "refused-keyword",
            "An old GUI or manual knew the keyword; it is kept and has no effect.",
            "Remove it: the original daemons refuse the whole file for it.",
            warning('virtual a {\n     expect_program = "/x"\n}\n'),
        ),
        kind(
            "no-effect-here",
            "The keyword or block may stand here and has no effect.",
            "Remove it, if it is not wanted any more.",
            warning("failover a {\n     scheduler = rr\n}\n"),
        ),
        kind(
            "not-used",
            "The originals used the keyword, or accepted it; this program keeps it and does not use it.",
            "Remove it, if it is not wanted any more.",
            note("hard_shutdown = 0\n"),
        ),
    ),
)

VALUES = FaultGroup(
    "Values",
    (
        kind(
            "bad-value",
            "The value is none that the keyword can have; the line counts as absent.",
            "Write a value of the right type.",
            error("keepalive = 5s\n"),
        ),
        kind(
            "out-of-range",
            "A number is out of range, or a netmask's ones are not all in front.",
            "Write one in the range.",
            error("heartbeat_port = 70000\n"),
        ),
        kind(
            "spelling",
            "The value is understood and spelled unusually: octal, hexadecimal, too large, empty, a short address.",
            "Write it as the message says.",
            warning("keepalive = 010\n"),
        ),
        kind(
            "newer-than-original",
            "The value came after the original Piranha, which refuses the whole file for it.",
            "Use it only while no router runs the original.",
            warning("virtual a {\n     scheduler = mh\n}\n"),
        ),
        kind(
            "unusable-address",
            "Nothing can be reached at this address: multicast, broadcast, link-local, or IPv6 where that cannot be.",
            "Write the address of one machine.",
            error("primary = 224.0.0.1\n"),
        ),
        kind(
            "missing-device",
            "A floating address names no device to carry it.",
            "Write one behind it, such as `192.0.2.10 eth0:1`.",
            error("nat_router = 10.0.0.254\n"),
        ),
        kind(
            "bad-device",
            "A device is none: too long, impossible characters, or an alias where an interface is needed.",
            "Write a name of at most 15 characters, such as `eth0:1`.",
            error("nat_router = 10.0.0.254 eth1/1\n"),
        ),
        kind(
            "no-alias",
            "A device is an interface, not an alias; the original takes the interface's own address away.",
            "Write an alias, such as `eth0:1`.",
            warning("nat_router = 10.0.0.254 eth1\n"),
        ),
        kind(
            "long-text",
            "A text is longer than the 254 bytes that the original keeps.",
            "Shorten it.",
            warning(f'virtual a {{\n     expect = "{"x" * 255}"\n}}\n'),
        ),
        kind(
            "unknown-escape",
            "A backslash stands before a character that it does not go with; the original monitor hangs at it.",
            r"Write `\\` for a backslash. Known are `\\`, `\n`, `\r`, `\t`, `\'` and `\"`.",
            warning('virtual a {\n     expect = "2\\d\\d"\n}\n'),
        ),
        kind(
            "lone-backslash",
            "The text is one backslash.",
            r"Write `\\` for a backslash, `\"` for a double quote.",
            warning('virtual a {\n     send = "\\"\n}\n'),
        ),
        kind(
            "quote-at-end",
            "The text ends in a double quote, which the original drops for all real servers but the first.",
            "Leave the last quote out.",
            warning('virtual a {\n     expect = "a\\""\n}\n'),
        ),
        kind(
            "joined-placeholder",
            "%h or %p is part of a longer word, and reaches the program as it is.",
            "Write them as words of their own.",
            warning('virtual a {\n     send_program = "/bin/check %h:%p"\n     expect = "OK"\n}\n'),
        ),
    ),
)
