"""The shared key of the two routers: /etc/sysconfig/ha/heartbeat.key, for root alone.

A key is 32 random bytes, written as a line of base64. There may be several lines: each of them counts for what the
partner signs, and this router signs with the first. So a key is changed without a moment in which the two do not
understand one another. Empty lines and lines with # do nothing.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence

from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system import files

KEY_BYTES = 32
KEYS_MAX = 4
_FILE_BYTES_MAX = 4096


def read(paths: Paths) -> tuple[bytes, ...]:
    """Return the keys, the one that signs first; none if there is no file.

    Raises ConfigUnavailable, with what to do, for a file that cannot be read, that others than its owner may read or
    write, or that does not hold keys: a key that is not secret proves nothing.
    """
    file = paths.heartbeat_key
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigUnavailable(f"The heartbeats' key {file} cannot be read ({error.strerror}).") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigUnavailable(f"The heartbeats' key {file} is not a file. Move away what stands there.")
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o077:
            raise ConfigUnavailable(
                f"The heartbeats' key {file} can be read by others, so it is no secret and is not used. "
                f"Close it (chown root {file} && chmod 0600 {file}), and make a new one on both routers: "
                "piranha pair --new-key"
            )
        raw = os.read(handle, _FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigUnavailable(f"The heartbeats' key {file} cannot be read ({error.strerror}).") from error
    finally:
        os.close(handle)
    try:
        return parse(raw)
    except ValueError as problem:
        raise ConfigUnavailable(
            f"The heartbeats' key {file} is not usable: {problem} `piranha pair` makes one."
        ) from None


def parse(raw: bytes) -> tuple[bytes, ...]:
    """Return the keys that a file's bytes hold, each once. Raises ValueError with a sentence."""
    if len(raw) > _FILE_BYTES_MAX:
        raise ValueError(f"it has more than {_FILE_BYTES_MAX} bytes.")
    keys: list[bytes] = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        word = line.strip()
        if not word or word.startswith(b"#"):
            continue
        try:
            key = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"line {number} is not {KEY_BYTES} bytes in base64.")
        keys.append(key)
    if not keys:
        raise ValueError("there is no key in it.")
    if len(set(keys)) > KEYS_MAX:
        raise ValueError(f"it has more than {KEYS_MAX} keys.")
    return tuple(dict.fromkeys(keys))


def text_of(keys: Sequence[bytes]) -> bytes:
    """Return the bytes of a file with these keys."""
    return b"".join(base64.b64encode(key) + b"\n" for key in keys)


def write(paths: Paths, keys: Sequence[bytes]) -> None:
    """Put these keys into the file, as a whole, for its owner alone. Raises ConfigUnavailable; the old file stays."""
    owner = (0, 0) if paths.is_system else None
    files.write_atomically(paths.heartbeat_key, text_of(keys), mode=files.NEW_FILE_MODE, owner=owner)


def fresh() -> bytes:
    """Return a new key."""
    return secrets.token_bytes(KEY_BYTES)


def fingerprint(key: bytes) -> str:
    """Return what may be shown of a key: enough to see that two are the same, nothing to find it out by."""
    return hashlib.sha256(b"Piranha's heartbeat key\0" + key).hexdigest()[:16]
