"""Written paths: `keepalive`, `virtual[http]`, `virtual[http].server[web1].weight`, `virtual["a b"#2]`.

Real files hold names with blanks, slashes, brackets and dots, and several blocks of one name. A name that is not
plain is written in double quotes (a backslash protects `"` and `\\`); the second and later blocks of one kind and name,
counted among their siblings, carry `#2`, `#3`, ...
"""

import re
from dataclasses import dataclass

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_STEP = re.compile(
    r"(?P<kind>[a-z_]+)\[(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>[A-Za-z0-9_][A-Za-z0-9_.:-]*))(?:#(?P<number>[1-9][0-9]*))?\]",
    re.DOTALL,
)
_KEYWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Step:
    """One block on the way: its kind (`virtual`, `failover`, `server`), its name, its number among equals (from 1)."""

    kind: str
    name: str
    number: int = 1

    def __str__(self) -> str:
        number = f"#{self.number}" if self.number > 1 else ""
        if PLAIN_NAME.fullmatch(self.name):
            return f"{self.kind}[{self.name}{number}]"
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.kind}["{quoted}"{number}]'


BlockPath = tuple[Step, ...]
"""From the top of the file to a block; () is the global scope."""


def written(path: BlockPath, keyword: str = "") -> str:
    """Return the written form of a block's path, with a keyword if one is given."""
    words = [str(step) for step in path]
    return ".".join([*words, keyword] if keyword else words)


def parse(text: str) -> tuple[BlockPath, str]:
    """Return the block path and the keyword ("" if none) of a written path.

    Raises ValueError with a sentence that shows where the text stops making sense.
    """
    steps: list[Step] = []
    place = 0
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            keyword = _KEYWORD.fullmatch(text, place)
            if keyword is None:
                raise ValueError(
                    f'"{text}" is not a path: expected KEYWORD or KIND[NAME] at "{text[place:]}". '
                    'Write for example virtual[http].server[web1].weight; quote odd names: virtual["a b"].'
                )
            return tuple(steps), keyword.group()
        quoted = found["quoted"]
        name = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else found["plain"]
        steps.append(Step(found["kind"], name, int(found["number"] or 1)))
        place = found.end()
        if place < len(text):
            if text[place] != "." or place + 1 == len(text):
                raise ValueError(f'"{text}" is not a path: expected "." and more at "{text[place:]}".')
            place += 1
    return tuple(steps), ""


def parse_block(text: str) -> BlockPath:
    """Return the path of a block; "" is the global scope. Raises ValueError where the text names a keyword."""
    path, keyword = parse(text)
    if keyword:
        raise ValueError(f'"{text}" names the keyword {keyword}, not a block.')
    return path
