"""The password file: htpasswd text, the hashes in it, and what a good password is.

New hashes are argon2. Those that old htpasswd and piranha-passwd programs wrote are read: bcrypt, SHA-crypt,
apr1 MD5, SHA-1 and DES crypt. A line with a plain password is no hash and lets nobody in.
"""

import hashlib
import unicodedata
from functools import cache

from passlib.context import CryptContext
from zxcvbn import zxcvbn

USER = "piranha"
"""The one user (manual 2.2)."""

LENGTH_MIN = 10
LENGTH_MAX = 256
SCORE_MIN = 3
"""zxcvbn's "safely unguessable" against a stolen hash."""

BCRYPT_BYTES = 72
ESTIMATED_CHARACTERS = 72

# 19 MiB, two passes, one lane: OWASP's smallest recommended setting. The GUI answers many log-ins at once, each of
# which holds that memory.
_CONTEXT = CryptContext(
    schemes=["argon2", "bcrypt", "sha512_crypt", "sha256_crypt", "apr_md5_crypt", "ldap_sha1", "des_crypt"],
    argon2__type="ID",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)
_WEAK = frozenset({"apr_md5_crypt", "ldap_sha1", "des_crypt"})


def hash_of(password: str) -> str:
    """Return a new hash."""
    return str(_CONTEXT.hash(_normal(password)))


def hash_line(text: str, user: str = USER) -> str | None:
    """Return the stored hash of a user, None if it has no line. As with Apache, the first line counts."""
    for line in text.split("\n"):
        name, colon, rest = line.strip().partition(":")
        if colon and name == user:
            return rest.split(":")[0].strip()
    return None


def with_hash(text: str, user: str, stored: str) -> str:
    """Return the text with that hash for the user; everything else stays as it is.

    Further lines of the same user, which nobody reads, go: they would come to life if the first one were
    deleted.
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    theirs = [line.strip().partition(":")[:2] != (user, ":") for line in lines]
    place = theirs.index(False) if False in theirs else len(lines)
    kept = [line for line, is_theirs in zip(lines[place:], theirs[place:], strict=True) if is_theirs]
    return "".join(f"{line}\n" for line in [*lines[:place], f"{user}:{stored}", *kept])


def verify(text: str, user: str, password: str) -> bool:
    """Say whether that is the user's password. `text` is the password file's.

    An unknown user, a missing or damaged line and a cheap old hash take as long as an argon2 hash does.
    """
    stored = hash_line(text, user)
    scheme = _scheme(stored)
    if scheme != "argon2":
        _matches(_dummy(), password)
    return stored is not None and scheme is not None and _matches(stored, password)


def fingerprint(text: str, user: str = USER) -> str:
    """Return what a session is bound to: it changes with every new password, "" if the user cannot log in."""
    stored = hash_line(text, user)
    if stored is None or _scheme(stored) is None:
        return ""
    return hashlib.sha256(stored.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def is_weak(stored: str) -> bool:
    """Say whether a stored hash is of a kind that is quickly guessed (DES crypt, SHA-1, apr1), or is none at all."""
    scheme = _scheme(stored)
    return scheme is None or scheme in _WEAK


def unusable(password: str) -> str | None:
    """Return why something can never be a password, or None."""
    if not password:
        return "The password is empty."
    if len(password) > LENGTH_MAX:
        return f"The password is longer than {LENGTH_MAX} characters."
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        return "The password has a control character in it, which no log-in form passes on."
    return None


def weakness(password: str) -> str | None:
    """Return why a password is too easy to guess and what would be better, or None."""
    if len(password) < LENGTH_MIN:
        return f"The password is shorter than {LENGTH_MIN} characters."
    found = zxcvbn(password[:ESTIMATED_CHARACTERS], user_inputs=[USER, "lvs", "redhat", "cluster", "linux"])
    if found["score"] >= SCORE_MIN:
        return None
    warning = found["feedback"]["warning"].rstrip(".")
    advice = " ".join(found["feedback"]["suggestions"])
    return f"The password is easy to guess{': ' + warning if warning else ''}. {advice}".strip()


def _scheme(stored: str | None) -> str | None:
    return _CONTEXT.identify(stored) if stored else None


def _matches(stored: str, password: str) -> bool:
    if unusable(password):
        return False
    secret = _normal(password).encode()
    if _scheme(stored) == "bcrypt":  # the bcrypt library refuses what htpasswd silently cut off
        secret = secret[:BCRYPT_BYTES]
    try:
        return bool(_CONTEXT.verify(secret, stored))
    except ValueError:  # a damaged hash
        return False


def _normal(password: str) -> str:
    """Return one spelling for what looks the same: keyboards differ in how they compose accents."""
    return unicodedata.normalize("NFC", password)


@cache
def _dummy() -> str:
    return hash_of("nobody's password")
