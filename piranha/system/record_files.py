"""Records in a file that is only appended to, one line of JSON each, and in the older files beside it.

`events` and `events.1`, `audit` and `audit.1`, `audit.2`, ...: the file without a number is the newest, then counts the
number, upwards. What a killed engine or a full disk left of a line stays there, is followed by a
line end before anything else comes, and is skipped by who reads. Which records there are is for others to say
(`engine.events`, `engine.audit`).
"""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from piranha.errors import ConfigUnavailable
from piranha.system.files import sync_folder

LINE_BYTES_MAX = 1024 * 1024
_BLOCK = 64 * 1024


class Numbered(Protocol):
    """A record; the numbers grow from line to line."""

    @property
    def number(self) -> int:
        """Return its number."""
        ...


Record = TypeVar("Record", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Part(Generic[Record]):
    """Some of the records: the number of the first, and a function that yields all of them, the newest first.

    `back` raises ConfigUnavailable where they cannot be read.
    """

    first: int
    back: Callable[[], Iterator[Record]]


class RecordFiles(Generic[Record]):
    """The files of one kind of record. Methods do file I/O and raise ConfigUnavailable.

    A file that has grown to `size_max` bytes gets a number behind its name and another one begins; `keep`: so many
    with a number stay (None: all; nothing is ever removed). `is_synced`: they are on the disk when `append` returns.
    """

    def __init__(
        self, path: Path, kind: type[Record], *, size_max: int, keep: int | None = None, is_synced: bool = False
    ) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(kind)
        self._size_max = size_max
        self._keep = keep
        self._is_synced = is_synced
        self._firsts: dict[tuple[str, int, int], int] = {}

    def append(self, *records: Record, may_turn: bool = True) -> None:
        """Write records behind the others; where that fails some of them may stand there, the last one torn.

        `may_turn` False: this file may not be left for another one now.
        """
        lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        try:
            self._append(lines, may_turn)
        except OSError as error:
            raise ConfigUnavailable(_sentence(self.path, error)) from error

    def last_number(self) -> int:
        """Return the number of the newest record, 0 if there is none."""
        for part in reversed(self.parts()):
            for record in part.back():
                return record.number
        return 0

    def parts(self, may_match: Callable[[bytes], bool] | None = None, before: int | None = None) -> list[Part[Record]]:
        """Return the files that have records in them, the oldest first.

        `may_match` says of a line, or of many in one piece, whether a record in it may be wanted: to look for a word
        takes less than to read. Others may be left out, and many from the number `before` on. It may have a `needle`:
        plain small letters that every plain line has that may be wanted, without case.
        """
        found = []
        for path in self._paths():
            first = self._first(path)
            if first is not None:
                found.append(Part(first[1], partial(self._back, path, first[0], may_match, before)))
        return found

    def _append(self, lines: bytes, may_turn: bool) -> None:
        handle, is_new = self._open()
        try:
            size = os.fstat(handle).st_size
            if may_turn and size and size + len(lines) > self._size_max and self._turned():
                os.close(handle)
                handle, is_new = self._open()
                size = 0
            if size and os.pread(handle, 1, size - 1) != b"\n":
                lines = b"\n" + lines
            written = os.write(handle, lines)
            if written != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._is_synced:
                os.fsync(handle)
                if is_new:
                    sync_folder(self.path.parent)
        finally:
            os.close(handle)

    def _open(self) -> tuple[int, bool]:
        is_new = not self.path.exists()
        if is_new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600), is_new

    def _turned(self) -> bool:
        """Give the file its number; False where the system does not let us: then it goes on growing."""
        numbers = sorted(self._numbered())
        next_number = numbers[-1] + 1 if numbers else 1
        try:
            self.path.rename(self._with(next_number))
        except OSError:
            return False
        if self._keep is not None:
            for number in [*numbers, next_number][: -self._keep]:
                with suppress(OSError):  # it is removed at the next turn
                    self._with(number).unlink()
        return True

    def _paths(self) -> list[Path]:
        numbered = [self._with(number) for number in sorted(self._numbered())]
        return [*numbered, self.path] if self.path.exists() else numbered

    def _numbered(self) -> list[int]:
        pattern = re.compile(re.escape(self.path.name) + r"\.([1-9][0-9]{0,8})")
        try:
            names = os.listdir(self.path.parent)  # noqa: PTH208 - names alone
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigUnavailable(f"{self.path.parent} cannot be read ({error.strerror}).") from error
        return [int(found[1]) for name in names if (found := pattern.fullmatch(name))]

    def _with(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _first(self, path: Path) -> tuple[int, int] | None:
        """Return the inode of a file and the number of its first record; of a file with a number it is read once."""
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                known = (path.name, status.st_ino, status.st_size)
                first = self._firsts.get(known)
                while first is None and (line := file.readline(LINE_BYTES_MAX)):
                    record = self._understood(line)
                    first = None if record is None else record.number
                if first is None:
                    return None
                if path != self.path:
                    self._firsts[known] = first
                return status.st_ino, first
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigUnavailable(f"{path} cannot be read ({error.strerror}).") from error

    def _back(
        self, path: Path, inode: int, may_match: Callable[[bytes], bool] | None, before: int | None
    ) -> Iterator[Record]:
        """Yield the records of a file, which may have another name by now, or be gone."""
        for name in (path, *reversed(self._paths())):
            try:
                with name.open("rb") as file:
                    if os.fstat(file.fileno()).st_ino != inode:
                        continue
                    is_behind = None if before is None else partial(self._is_behind, before)
                    for line in _lines_back(file.fileno(), may_match, is_behind):
                        record = self._understood(line)
                        if record is not None:
                            yield record
                    return
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ConfigUnavailable(f"{path} cannot be read ({error.strerror}).") from error

    def _is_behind(self, before: int, line: bytes) -> bool:
        record = self._understood(line)
        return record is not None and record.number >= before

    def _understood(self, line: bytes) -> Record | None:
        try:
            return self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def _lines_back(
    handle: int,
    may_match: Callable[[bytes], bool] | None = None,
    is_behind: Callable[[bytes], bool] | None = None,
) -> Iterator[bytes]:
    """Yield the lines of a file, the last one first; a longer one than LINE_BYTES_MAX is left out.

    So are lines that `may_match` refuses, and many of those that stand behind one that `is_behind` what is wanted.
    """
    place, rest = os.fstat(handle).st_size, b""
    while place:
        size = min(_BLOCK, place)
        place -= size
        block = os.pread(handle, size, place) + rest
        last, _, whole = block.partition(b"\n")
        is_none = may_match is not None and not may_match(block)
        if not is_none and not (is_behind is not None and is_behind(whole.partition(b"\n")[0])):
            needle = getattr(may_match, "needle", b"") if whole.isascii() else b""
            if needle:  # to read these takes less than to look at them once more
                yield from _lines_with(needle, whole)
            else:
                lines = reversed(whole.split(b"\n"))
                yield from (line for line in lines if line and (may_match is None or may_match(line)))
        rest = last if len(last) <= LINE_BYTES_MAX else b"?"
    if rest and (may_match is None or may_match(rest)):
        yield rest


def _lines_with(needle: bytes, lines: bytes) -> Iterator[bytes]:
    """Yield the lines that have some plain small letters in them, without case, the last one first."""
    lowered = lines.lower()
    end = len(lines)
    while (at := lowered.rfind(needle, 0, end)) >= 0:
        start = lines.rfind(b"\n", 0, at) + 1
        stop = lines.find(b"\n", at)
        yield lines[start : stop if stop >= 0 else len(lines)]
        end = max(0, start - 1)


def _sentence(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path} cannot be written: the disk is full. Free some space and try again."
    return f"{path} cannot be written ({error.strerror or error})."
