"""Blocks as pages name them: by written path in the address, by name on the screen, never by position in the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from piranha.config.document import Document
from piranha.config.edits import Part
from piranha.config.path import BlockPath, Step, parse_block, written
from piranha.errors import PiranhaError
from piranha.monitoring import StatusQuery, Summary
from piranha.status import EngineStatus, OverrideStatus, ServerStatus, VirtualServerStatus
from piranha.web.client import status
from piranha.web.texts import _

VIRTUAL = ("virtual",)
REAL = ("virtual", "server")
QUERY_BYTES_MAX = 6000
"""Of the paths in one question to the engine, which reads no address of more than 8190 bytes."""


class NoSuchBlock(PiranhaError):
    """The page's block is not in lvs.cf (any more). `wanted` is its path as asked for."""

    def __init__(self, wanted: str) -> None:
        super().__init__(_("%(wanted)s is not in lvs.cf (any more).", wanted=shown_path(wanted) or _("Nothing")))
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the file and its values. `path` is what addresses and forms carry."""

    steps: BlockPath
    values: Mapping[str, str | None]

    @property
    def path(self) -> str:
        """Return the written path."""
        return written(self.steps)

    @property
    def parent(self) -> str:
        """Return the written path of the block around it."""
        return written(self.steps[:-1])

    @property
    def name(self) -> str:
        """Return the name as the file has it."""
        return self.steps[-1].name

    @property
    def title(self) -> str:
        """Return the name, with its number where several blocks have it."""
        return shown_name(self.steps)

    @property
    def is_active(self) -> bool:
        """Say whether the block is configured to be in force."""
        return (self.values.get("active") or "0").strip() in ("1", "2")

    @property
    def address(self) -> str:
        """Return the first word of the address."""
        return (self.values.get("address") or "").partition(" ")[0]

    @property
    def device(self) -> str:
        """Return the second word of the address."""
        return (self.values.get("address") or "").partition(" ")[2].strip()

    @property
    def has_usable_address(self) -> bool:
        """Say whether there is an address that is not 0.0.0.0."""
        return self.address not in ("", "0.0.0.0", "::")


def shown_name(steps: BlockPath) -> str:
    """Return the last name of a path as people read it."""
    last = steps[-1]
    if last.number == 1:
        return last.name
    return _("%(name)s (number %(number)s of this name)", name=last.name, number=last.number)


def shown_path(path: str) -> str:
    """Return a written path as people read it, `http / web1`; as it is if it is none."""
    try:
        steps = parse_block(path)
    except ValueError:
        return path
    return " / ".join(shown_name(steps[: place + 1]) for place in range(len(steps)))


def find(document: Document, wanted: str | None, kinds: Sequence[str], keywords: Sequence[str]) -> Block:
    """Return the block that a request names. Raises NoSuchBlock."""
    wanted = wanted or ""
    try:
        steps = parse_block(wanted)
    except ValueError as problem:
        raise NoSuchBlock(wanted) from problem
    if tuple(step.kind for step in steps) != tuple(kinds) or not document.has(steps):
        raise NoSuchBlock(wanted)
    return block(document, steps, keywords)


def block(document: Document, steps: BlockPath, keywords: Sequence[str]) -> Block:
    """Return a block with the values of these keywords."""
    return Block(steps, {keyword: document.get(steps, keyword) for keyword in keywords})


def inside(document: Document, parent: BlockPath, kind: str, keywords: Sequence[str]) -> list[Block]:
    """Return the blocks of a kind in a block, in file order."""
    return [block(document, steps, keywords) for steps in document.blocks(parent) if steps[-1].kind == kind]


def paths_inside(document: Document, parent: BlockPath, kind: str) -> list[BlockPath]:
    """Return the paths of the blocks of a kind, in file order."""
    return [steps for steps in document.blocks(parent) if steps[-1].kind == kind]


def names_inside(document: Document, parent: BlockPath, kind: str) -> list[str]:
    """Return the names of the blocks of a kind, in file order."""
    return [steps[-1].name for steps in document.blocks(parent) if steps[-1].kind == kind]


def pinned(document: Document, part: Part) -> Part:
    """Return what has to be as a page showed it, so that an edit of this part meets the block that was meant.

    A block whose name is its own is known by that name. Of several with one name, or inside one of several, the path
    counts them, and leads to another one when an earlier one is deleted: there the whole block has to be unchanged.
    """
    steps = parse_block(part.path)
    for depth, step in enumerate(steps, 1):
        if step.number > 1 or document.has((*steps[: depth - 1], Step(step.kind, step.name, 2))):
            return Part(written(steps[:depth]))
    return part


def live(paths: Sequence[str]) -> tuple[dict[str, VirtualServerStatus], dict[str, ServerStatus]]:
    """Return what the engine tells of these virtual servers and real servers, by path: of those that it runs.

    Of a virtual server that is asked for come its counts and its own troubles, not all of its real servers.
    """
    virtuals: dict[str, VirtualServerStatus] = {}
    servers: dict[str, ServerStatus] = {}
    for some in fitting(paths):
        told = status(StatusQuery(path="\n".join(some), servers=str(len(some))))
        for virtual in told.virtual_servers if told is not None else ():
            virtuals[virtual.path] = virtual
            servers.update((server.path, server) for server in virtual.servers)
    return virtuals, servers


def fitting(paths: Sequence[str]) -> Iterator[list[str]]:
    """Yield the paths in as many parts as it takes for each to fit into an address."""
    some: list[str] = []
    length = 0
    for path in paths:
        needed = len(quote(path, safe="")) + len("%0A")
        if needed > QUERY_BYTES_MAX:
            continue
        if some and length + needed > QUERY_BYTES_MAX:
            yield some
            some, length = [], 0
        some.append(path)
        length += needed
    if some:
        yield some


def live_virtual(path: str) -> VirtualServerStatus | None:
    """Return what the engine tells of a virtual server, if it runs one of this path."""
    return live([path])[0].get(path)


def live_server(path: str) -> ServerStatus | None:
    """Return what the engine tells of a real server, if it runs one of this path."""
    return live([path])[1].get(path)


@dataclass(frozen=True, slots=True)
class SetByHand:
    """An override as the pages show it."""

    told: OverrideStatus
    title: str


def set_by_hand(told: EngineStatus | Summary | None) -> list[SetByHand]:
    """Return the overrides with the names of the real servers that they are for."""
    if told is None:
        return []
    return [
        SetByHand(each, shown_path(each.target) if each.target.startswith("virtual[") else each.scope)
        for each in told.overrides
    ]
