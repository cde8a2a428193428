r"""The kinds of faults of lines: how a file, a line, a block and a value are written."""

from piranha.config.fault_types import FaultGroup, error, kind, warning
from piranha.config.line_rules import LARGEST_FILE

TEXT = FaultGroup(
    "The file as a whole",
    (
        kind("empty-file", "The file is empty.", "Set something and save, or write `serial_no = 1`.", warning("")),
        kind(
            "large-file",
            "The file is larger than the original Piranha can read.",
            "Use it only while no router runs the original.",
            warning("#" * (LARGEST_FILE + 1)),
        ),
        kind(
            "byte-order-mark",
            "The file starts with a byte-order mark.",
            "Nothing need be done: it goes at the first save.",
            warning("\ufeffserial_no = 1\n"),
        ),
        kind(
            "carriage-return",
            "Lines end with a carriage return, as on Windows; the original loses lines then.",
            "Nothing need be done: it goes at the first save.",
            warning("serial_no = 1\r\n"),
        ),
        kind(
            "nul-byte",
            "There is a NUL byte in the file.",
            "Remove it with an editor.",
            error("serial_no = 1\n# a\0b\n"),
        ),
    ),
)

LINES = FaultGroup(
    "Lines",
    (
        kind(
            "not-understood",
            "The line is neither KEYWORD = VALUE, nor a comment, nor part of a block.",
            "Write KEYWORD = VALUE, or # before a comment. It stops an Apply wherever it stands.",
            error("keepalive: 6\n"),
        ),
        kind(
            "missing-equals",
            "The = between keyword and value is missing.",
            "Write KEYWORD = VALUE.",
            warning("keepalive 6\n"),
        ),
        kind(
            "missing-blanks",
            "There is no blank beside the =, or before the {.",
            "Write a blank on both sides.",
            warning("keepalive=6\n"),
        ),
        kind("missing-value", "A keyword has no value.", "Write one, or remove the line.", error("keepalive =\n")),
        kind(
            "extra-words",
            "There are more words than the keyword, or the name of a block, takes.",
            "Put a text with blanks in double quotes; put anything else on a line of its own.",
            error("keepalive = 6 seconds\n"),
        ),
        kind(
            "too-many-words",
            "There are more than 99 words on a line; the original drops the rest.",
            "Shorten the line.",
            error(f"active_cmd = {' '.join('x' * 98)}\n"),
        ),
        kind(
            "trailing-comment",
            "A comment follows on the line of a value or of a {.",
            "Put it on a line of its own.",
            warning("keepalive = 6 # seconds\n"),
        ),
        kind(
            "bad-quoting",
            "A quote is opened and never closed.",
            'Put the value between " and ".',
            error('virtual a {\n     send = "GET /\n}\n'),
        ),
        kind(
            "quote-not-last",
            "Something follows the closing quote, if only a blank.",
            "Remove it.",
            warning('virtual a {\n     expect = "HTTP" \n}\n'),
        ),
        kind(
            "stray-quote",
            "A text without quotes ends in one; it is dropped.",
            'Put the whole value between " and ".',
            warning('virtual a {\n     expect = HTTP"\n}\n'),
        ),
        kind(
            "inner-quotes",
            "There are double quotes inside of the quotes; they are read as part of the value.",
            "Shorten the text so that none is needed.",
            warning('virtual a {\n     expect = "say "hi" now"\n}\n'),
        ),
        kind(
            "single-quotes",
            "A text stands in single quotes, which the original takes as part of it.",
            'Write " instead.',
            warning("virtual a {\n     expect = 'HTTP'\n}\n"),
        ),
        kind(
            "quoted-value",
            "A number, a word or an address stands in quotes.",
            "Remove the quotes.",
            warning('keepalive = "6"\n'),
        ),
        kind(
            "glued-lines",
            "An old GUI cut a long line and glued the next one to it.",
            "Write both lines anew.",
            error('virtual a {\n     send = "GET /long     expect = "X"\n}\n'),
        ),
        kind(
            "list-expected",
            "A list is not written as one.",
            "Write `[ A B C ]`, with blanks inside the brackets.",
            error("virtual a {\n     dirs = [/a /b]\n}\n"),
        ),
    ),
)

BLOCKS = FaultGroup(
    "Blocks",
    (
        kind(
            "bad-header",
            "A line looks like the beginning of a block and begins none, or it has an = too many.",
            "Write `virtual NAME {` on a line, then what belongs to it, then `}` on a line. It stops an Apply wherever "
            "it stands: what follows was read as if it belonged to what is around it.",
            error("virtual a\n"),
        ),
        kind("missing-name", "A block has no name.", "Write one short word before the {.", error("virtual {\n}\n")),
        kind("quoted-name", "A name stands in quotes.", "Write one word.", warning('virtual "a b" {\n}\n')),
        kind(
            "long-name",
            "A name is so long that old GUIs cut the line.",
            "Choose a shorter one.",
            warning(f"virtual {'a' * 61} {{\n}}\n"),
        ),
        kind(
            "duplicate-name",
            "Two blocks beside each other have the same name.",
            "Give each a name of its own.",
            warning("virtual a {\n}\nvirtual a {\n}\n"),
        ),
        kind(
            "brace-on-next-line",
            "The { stands on a later line.",
            "Put it behind the name.",
            warning("virtual a\n{\n}\n"),
        ),
        kind(
            "missing-brace",
            "A block is never closed, and others follow: what belongs to which is in doubt.",
            "Write } on a line where it ends.",
            error("virtual a {\nvirtual b {\n}\n"),
        ),
        kind(
            "unclosed-block",
            "The last block is never closed.",
            "Write } on a line at its end.",
            warning("virtual a {\n"),
        ),
        kind(
            "cut-block",
            "Keywords stand outside of their block, and a } further on closes nothing: a block was cut in two.",
            "Remove the } too many, which is above; or mend the line that was to begin the block.",
            error("virtual a {\n}\nscheduler = rr\n}\n"),
        ),
        kind(
            "quoted-brace",
            "A brace stands in quotes; the originals take it for a brace all the same.",
            "Remove the quotes.",
            warning("virtual a '{'\n}\n"),
        ),
        kind("surplus-brace", "A } closes nothing; it is ignored.", "Remove it.", warning("serial_no = 1\n}\n")),
        kind(
            "text-after-brace",
            "What follows a } is ignored.",
            "Put it on a line of its own, or remove it.",
            warning("virtual a {\n} end\n"),
        ),
        kind(
            "lost-block",
            "A block begins on the line of a }, and so is lost.",
            "Put it on a line of its own.",
            error("virtual a {\n     server b {\n     } server c {\n     }\n}\n"),
        ),
        kind(
            "server-outside",
            "A server stands outside of every virtual server.",
            "Move it into one; there may be a } too many above.",
            error("server a {\n}\n"),
        ),
    ),
)
