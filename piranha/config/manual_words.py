r"""The prose of lvs.cf(5): what no table knows. Backquotes mark what is to be typed."""

LANGUAGE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Lines",
        (
            "The file is read line by line. A line is a setting, the beginning or the end of a block, a comment, or "
            "blank. There is no continuation: a backslash at the end of a line is a character like any other. The line "
            "end is LF; CR and CRLF are understood, and go at the first save. So does a byte-order mark. The encoding "
            "is UTF-8; a file that is not is read byte by byte, and keeps its bytes.",
            "A setting is `KEYWORD = VALUE`, with blanks or tabs on both sides of the `=`. Blanks before and after it, "
            "and any amount between, mean nothing. Keywords and words to choose from are lower case. Where a keyword "
            "stands twice in a block, the last one counts. The order is free, but `port` goes before the first "
            "`server`: a server without a port of its own takes the one that was read so far.",
        ),
    ),
    (
        "Comments",
        (
            "A line is a comment if `#` is its first character, blanks aside. It has a line of its own: behind a "
            "value, `#` is one more word of the value, and the original daemons refuse the file for it.",
        ),
    ),
    (
        "Words and quotes",
        (
            "A line falls into words at blanks and tabs; 99 words of a line count. Every keyword takes one word as its "
            "value, a floating address two: the address and the device that carries it. A word with blanks in it "
            'stands in double quotes: `send = "GET / HTTP/1.0"`. An empty text is `""`, which is not the same as no '
            "line at all.",
            "A quote counts only at the beginning of a word. A quoted word without a blank in it must be the last "
            "thing on its line, not even followed by a blank; a quoted word with a blank in it ends at the first quote "
            "behind its first blank. A backslash does not protect a quote from that rule. So a double quote "
            'inside of a text is safe only as `\\"`, with no blank before it, and not at the very end. In single '
            "quotes a text is understood, but the original monitor sends the apostrophes too.",
        ),
    ),
    (
        "Blocks",
        (
            "A block begins with three words on one line and ends with a line that begins with `}`. What follows that "
            "brace on its line is ignored.",
        ),
    ),
    (
        "Values",
        (
            "Whole numbers are plain decimal digits. As in C, a leading 0 makes a number octal and 0x hexadecimal; "
            "both are understood, with a warning. Yes and no are 1 and 0. A port is a number, or the name of a TCP "
            "service where this page says so. An IPv4 address is written as four numbers with dots; shorter forms are "
            "understood, with a warning. A netmask is written like an address. A device is an interface and a number "
            "for its alias: `eth0:1`.",
            "Where a description says blank, it means the field of a form: in the file, leave the line out.",
        ),
    ),
    (
        "Escapes",
        (
            r"In `send` and `expect`, `\n` is a line feed, `\r` a carriage return, `\t` a tab, `\\` a backslash, "
            r"`\'` an apostrophe and `\"` a double quote. Any other pair stays as it is, with a warning: the original "
            r"monitor hangs at it. They are translated once, from left to right, before a regular expression is made "
            r"of the text: a literal dot in one is `\\.` in the file. Nowhere else does a backslash mean anything.",
        ),
    ),
    (
        "What is kept",
        (
            "The file is edited, never generated: a save that changes one value changes that line and `serial_no`. "
            "Comments, blank lines, the order of lines and unknown keywords stay where they are. What is saved is not "
            "yet what runs; `piranha apply` makes it so.",
        ),
    ),
)

BLOCK_FORMS = """\
virtual NAME {
     KEYWORD = VALUE
     server NAME {
         KEYWORD = VALUE
     }
}
failover NAME {
     KEYWORD = VALUE
}"""

BLOCK_NAMES = (
    "`virtual` is a virtual server, `server` in it one of its real servers; `failover` is a failover service. NAME is "
    "one word. Names are for people: what the routers go by are addresses, ports and firewall marks. Settings outside "
    "of all blocks are global."
)

DIAGNOSTICS = (
    "`piranha check FILE` tells all faults of a file at once, each as `FILE:LINE:COLUMN: SEVERITY: MESSAGE`. The GUI "
    "shows the same ones beside what was typed. `piranha check --strict` reads as the original daemons did and stops "
    "at their first error.",
    "The exit code of `piranha check` is 1 if there is an error, and 0 if there are only warnings and notes. A file "
    "with errors can be saved. Apply refuses an error in an active block, or in a global setting that is in force, and "
    "everywhere an error that leaves in doubt which block the lines around it belong to.",
)

SEVERITIES = (
    ("error", "It cannot be run safely."),
    ("warning", "It runs, but probably not as meant; or an original Piranha would refuse or misread it."),
    ("note", "It is worth knowing."),
)

FILES = (
    (
        "/etc/sysconfig/ha/lvs.cf",
        "The configuration, in this language. The engine writes it; it may be edited by hand.",
    ),
    ("/var/lib/piranha/running.cf", "What was applied last, and runs."),
)

EXAMPLE = r"""# Two routers with one virtual server
serial_no = 1
primary = 192.0.2.11
primary_private = 10.0.0.11
service = lvs
backup_active = 1
backup = 192.0.2.12
backup_private = 10.0.0.12
heartbeat_port = 539
keepalive = 6
deadtime = 18
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
virtual http {
     active = 1
     address = 192.0.2.80 eth0:1
     port = 80
     send = "GET / HTTP/1.0\r\n\r\n"
     expect = "HTTP"
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     server web1 {
         address = 10.0.0.21
         active = 1
         weight = 1
     }
     server web2 {
         address = 10.0.0.22
         active = 1
         weight = 2
     }
}
"""
