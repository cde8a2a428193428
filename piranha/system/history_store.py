"""The history of lvs.cf on the disk: one file a version, one line of JSON and then the bytes of lvs.cf as they are.

`00000123.version` is read with nothing but a shell: `head -n 1` says what it is, `tail -n +2` is the lvs.cf. How sure
a version is stands in the file's name, so that becoming sure is one rename, and no crash leaves half of it.
Which version becomes what is the history's business (`engine.history`).
"""

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from piranha.config.load import token_of
from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.messages import VersionInfo
from piranha.system import files

LINE_BYTES_MAX = 256 * 1024
_NAME = re.compile(r"([0-9]{8})\.(pending|version|uncertain)")
_LAST_NUMBER = 99_999_999
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
"""They say nothing about the file."""


class DamagedVersion(PiranhaError):
    """A file of the history does not hold what it should; the sentence names it."""


class Standing(StrEnum):
    """How sure it is that a version was lvs.cf; the end of its file's name."""

    PENDING = "pending"
    CERTAIN = "version"
    UNCERTAIN = "uncertain"


_STANDINGS = {str(standing): standing for standing in Standing}
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Record:
    """The first line of a version's file: a VersionInfo, and `over`: the stamp (`lvs_cf.Look`) of what it replaces."""

    number: int
    at: str
    how: str
    who: str
    from_address: str
    serial_no: int | None
    token: str
    size: int
    changes: tuple[str, ...]
    more_changes: int = 0
    over: str = ""

    def info(self, *, is_certain: bool = True) -> VersionInfo:
        """Return it as the API tells it."""
        return VersionInfo(
            self.number,
            self.at,
            self.how,
            self.who,
            self.from_address,
            self.serial_no,
            self.token,
            self.size,
            self.changes,
            self.more_changes,
            is_certain,
        )


class Entry(NamedTuple):
    """A file of the history; `place` is its path."""

    number: int
    standing: Standing
    place: str

    @property
    def file(self) -> Path:
        """Return its path."""
        return Path(self.place)


class HistoryStore:
    """The files of one folder. Methods that write raise ConfigUnavailable and are called under the lock of lvs.cf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[_Stamp, Record] = {}

    def entries(self) -> list[Entry]:
        """Return the files, the oldest first; none where there is no folder. Raises ConfigUnavailable."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - names alone: a thousand paths cost more than a save
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigUnavailable(f"The history in {self.folder} cannot be read ({error.strerror}).") from error
        found = [_NAME.fullmatch(name) for name in names]
        return sorted(Entry(int(name[1]), _STANDINGS[name[2]], f"{self.folder}/{name[0]}") for name in found if name)

    def size(self, entry: Entry) -> int:
        """Return the number of bytes of a whole file, 0 if it is gone."""
        return self._stamp(entry)[1]

    def record(self, entry: Entry) -> Record | None:
        """Return what a file's first line says, None if the file is gone. Raises DamagedVersion, ConfigUnavailable."""
        stamp = self._stamp(entry)
        if stamp not in self._read:
            head = self._bytes(entry, LINE_BYTES_MAX)
            if head is None:
                return None
            self._read[stamp] = _record(entry, head, stamp[1])
        return self._read[stamp]

    def text(self, entry: Entry) -> tuple[Record, bytes] | None:
        """Return a whole version, its bytes verified; None if it is gone. Raises DamagedVersion, ConfigUnavailable."""
        data = self._bytes(entry, -1)
        if data is None:
            return None
        record = _record(entry, data, len(data))
        raw = data[data.index(b"\n") + 1 :]
        if token_of(raw) != record.token:
            raise DamagedVersion(f"{entry.file} is damaged: the text in it is not the one that was kept.")
        return record, raw

    def put(self, record: Record, raw: bytes, standing: Standing) -> Entry:
        """Keep a version in a new file, on the disk when this returns."""
        if record.number > _LAST_NUMBER:
            raise ConfigUnavailable(f"The history in {self.folder} is full: it counts to {_LAST_NUMBER}. Move it away.")
        file = self.folder / f"{record.number:08}.{standing}"
        files.make_folder(self.folder, 0o700)
        data = msgspec.json.encode(record) + b"\n" + raw
        try:
            files.write_atomically(file, data, mode=0o600)
        except files.NotConfirmed as error:
            sentence = f"The disk did not confirm {file} ({error.reason}). Look at the disk."
            raise ConfigUnavailable(sentence) from error
        return Entry(record.number, standing, str(file))

    def change(self, entry: Entry, standing: Standing) -> Entry:
        """Say from now on that this is how sure a version is."""
        file = entry.file.with_suffix(f".{standing}")
        try:
            entry.file.rename(file)
        except OSError as error:
            raise ConfigUnavailable(f"Cannot rename {entry.file} to {file.name}: {error.strerror}.") from error
        return Entry(entry.number, standing, str(file))

    def remove(self, entry: Entry) -> None:
        """Forget a version."""
        try:
            entry.file.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigUnavailable(f"Cannot remove {entry.file}: {error.strerror}.") from error

    def clean_up(self) -> None:
        """Remove what killed writers left. To be called where none can be at work."""
        files.remove_unfinished_in(self.folder)

    def forget_read(self, entries: Sequence[Entry]) -> None:
        """Forget the first lines of files that are no longer there, if there are many."""
        if len(self._read) > 2 * len(entries) + 100:
            there = {self._stamp(entry) for entry in entries}
            for stamp in [stamp for stamp in list(self._read) if stamp not in there]:
                self._read.pop(stamp, None)

    def _stamp(self, entry: Entry) -> _Stamp:
        """Return what is another for every file that is written: number, size, inode and time of change."""
        try:
            status = os.lstat(entry.place)
        except OSError:
            return entry.number, 0, 0, 0
        return entry.number, status.st_size, status.st_ino, status.st_mtime_ns

    def _bytes(self, entry: Entry, count: int) -> bytes | None:
        try:
            # Non-blocking, and no link: what stands under the name is a file of ours or it is damaged.
            handle = os.open(entry.place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(handle, "rb") as file:  # noqa: PTH123 - a handle, not a path
                return file.read(count)
        except FileNotFoundError:
            return None
        except OSError as error:
            sentence = f"{entry.file} cannot be read ({error.strerror})."
            if error.errno in _PASSING:
                raise ConfigUnavailable(sentence) from error
            raise DamagedVersion(sentence) from error


def _record(entry: Entry, data: bytes, size: int) -> Record:
    line, end, _ = data.partition(b"\n")
    try:
        record = msgspec.json.decode(line, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedVersion(f"{entry.file} is damaged: its first line cannot be understood.") from error
    if not end or record.number != entry.number or len(line) + 1 + record.size != size:
        raise DamagedVersion(f"{entry.file} is damaged: its first line does not fit to the file.")
    return record
