"""The password file's text, old and new hashes, and what is refused as a password."""

import base64
import hashlib
from collections.abc import Callable

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha import passwords
from piranha.passwords import (
    fingerprint,
    hash_line,
    hash_of,
    is_weak,
    unusable,
    verify,
    weakness,
    with_hash,
)

PASSWORD = "hello"
# Made by other programs: openssl passwd -apr1, -5, -6; crypt(3) as htpasswd -d calls it.
APR1 = "$apr1$L3e59BqK$HfTxIlPLnipH7xIbhkQnZ."
DES = "rqA.LPJZicVFQ"


def sha1(password: str) -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()


def bcrypt_of(password: bytes, prefix: str = "$2y$") -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode().replace("$2b$", prefix)


def test_a_new_hash_is_argon2_and_verifies() -> None:
    stored = hash_of("korrekte Pferde")
    assert stored.startswith("$argon2id$")
    assert verify(f"piranha:{stored}\n", "piranha", "korrekte Pferde")
    assert not verify(f"piranha:{stored}\n", "piranha", "korrekte pferde")


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_of(PASSWORD) != hash_of(PASSWORD)


OLD = {
    "bcrypt of htpasswd -B": bcrypt_of(b"hello"),
    "bcrypt of other programs": bcrypt_of(b"hello", "$2b$"),
    "bcrypt of old programs": bcrypt_of(b"hello", "$2a$"),
    "apr1": APR1,
    "SHA-256 crypt": "$5$abcdefgh$UUoko/Tf0b.8LrDH6BE28ZvVbc7xd//GfzsD0NKugU7",
    "SHA-512 crypt": "$6$abcdefgh$"
    "bp46WUxDu2cphMRE0PvVJlqas2imuSq186YS793XKfmqn9XUEL17HECskUTZInaNigNndLLYc7A6yWBmFEFn3/",
    "SHA-1": sha1("hello"),
    "DES crypt": DES,
}


@pytest.mark.parametrize("kind", OLD)
def test_hashes_that_other_programs_wrote_are_read(kind: str) -> None:
    text = f"piranha:{OLD[kind]}\n"
    assert verify(text, "piranha", "hello")
    assert not verify(text, "piranha", "hellO")
    assert fingerprint(text)


@pytest.mark.parametrize(
    ("stored", "weak"),
    [
        (OLD["DES crypt"], True),
        (OLD["SHA-1"], True),
        (OLD["apr1"], True),
        (OLD["SHA-512 crypt"], False),
        (OLD["bcrypt of htpasswd -B"], False),
        (hash_of("x"), False),
        ("hello", True),
    ],
)
def test_hashes_that_are_quickly_guessed_are_known(stored: str, weak: bool) -> None:
    assert is_weak(stored) is weak


def test_a_long_password_under_bcrypt_is_cut_as_htpasswd_cut_it() -> None:
    text = f"piranha:{bcrypt_of(b'a' * 72)}\n"
    assert verify(text, "piranha", "a" * 100)
    assert not verify(text, "piranha", "a" * 71)


@pytest.mark.parametrize("plain", ["hello", "correcthorse1", "{PLAIN}hello", "$apr1$hello", "$2b$10$hello", "*", "!"])
def test_a_line_with_a_plain_password_lets_nobody_in(plain: str) -> None:
    assert not verify(f"piranha:{plain}\n", "piranha", plain)


@pytest.mark.parametrize("text", ["", "\n", "piranha\n", "piranha:\n", "piranha: \n", "other:x\n", "#piranha:x\n"])
def test_without_a_hash_nobody_gets_in_and_no_session_can_be_bound(text: str) -> None:
    assert not verify(text, "piranha", "")
    assert not verify(text, "piranha", PASSWORD)
    assert fingerprint(text) == ""


@pytest.mark.parametrize("damaged", ["$argon2id$v=19$m=65536", "$2b$10$short", "$apr1$x", "$6$", "{SHA}x"])
def test_a_damaged_hash_is_a_wrong_password_not_an_accident(damaged: str) -> None:
    assert not verify(f"piranha:{damaged}\n", "piranha", PASSWORD)


@pytest.mark.parametrize("password", ["hello\0", "\0", "hello\n", "\ud800", "", "hello" * 1000])
def test_what_can_be_no_password_is_wrong_with_every_kind_of_hash(password: str) -> None:
    for stored in [*OLD.values(), hash_of(PASSWORD)]:
        assert not verify(f"piranha:{stored}\n", "piranha", password)


@pytest.mark.parametrize("text", ["", "other:x\n", "piranha:hello\n", f"piranha:{DES}\n", "piranha:$apr1$x\n"])
def test_an_unknown_user_costs_as_much_as_a_known_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real: Callable[..., bool] = passwords._CONTEXT.verify

    def counted(secret: bytes, stored: str) -> bool:
        asked.append(str(passwords._CONTEXT.identify(stored)))
        return real(secret, stored)

    monkeypatch.setattr(passwords._CONTEXT, "verify", counted)
    verify(text, "piranha", PASSWORD)
    assert asked[0] == "argon2"
    asked.clear()
    verify(f"piranha:{hash_of('x')}\n", "piranha", PASSWORD)
    assert asked == ["argon2"], "one argon2 hash, no more"


def test_the_password_of_nobody_is_not_the_dummys() -> None:
    assert not verify("", "piranha", "nobody's password")


def test_accents_are_the_same_however_the_keyboard_composed_them() -> None:
    stored = hash_of("r\u00e9sum\u00e9 42 %")
    assert verify(f"piranha:{stored}\n", "piranha", "re\u0301sume\u0301 42 %")


def test_the_first_line_of_a_user_counts_as_with_apache() -> None:
    assert hash_line("a:1\npiranha:first:rest\r\npiranha:second\n") == "first"


def test_a_new_hash_changes_one_line_and_nothing_else() -> None:
    before = "# kept\r\n\nother:x\n  piranha:old\nlast:y"
    assert with_hash(before, "piranha", "new") == "# kept\r\n\nother:x\npiranha:new\nlast:y\n"


def test_a_user_without_a_line_gets_one_at_the_end() -> None:
    assert with_hash("", "piranha", "new") == "piranha:new\n"
    assert with_hash("other:x", "piranha", "new") == "other:x\npiranha:new\n"


def test_second_lines_of_the_user_do_not_stay_behind() -> None:
    assert with_hash("piranha:a\nother:x\npiranha:b\n", "piranha", "c") == "piranha:c\nother:x\n"


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.sampled_from(["", "\npiranha:old\n"]))
def test_in_any_text_the_new_hash_is_found_and_the_other_lines_stay(start: str, end: str) -> None:
    text = start + end
    changed = with_hash(text, "piranha", "new")
    assert hash_line(changed) == "new"
    others = [line for line in text.split("\n") if not line.strip().startswith("piranha:")]
    kept = [line for line in changed.split("\n") if line != "piranha:new"]
    assert [line for line in kept if line] == [line for line in others if line]


def test_every_new_password_ends_sessions_even_the_same_one_again() -> None:
    first, second = (f"piranha:{hash_of(PASSWORD)}\n" for _ in range(2))
    assert fingerprint(first) == fingerprint(first)
    assert fingerprint(first) != fingerprint(second)


def test_another_line_changes_no_fingerprint() -> None:
    text = f"piranha:{hash_of(PASSWORD)}\n"
    assert fingerprint(text) == fingerprint("other:x\n" + text)


@pytest.mark.parametrize(
    ("password", "words"),
    [("", "empty"), ("x" * 257, "longer than 256"), ("tab\tinside it", "control character"), ("a\0b", "control")],
)
def test_what_can_never_be_a_password_is_refused_with_the_reason(password: str, words: str) -> None:
    assert words in str(unusable(password))


@pytest.mark.parametrize("password", ["x", "correct horse battery staple", "пароль пароль", "a" * 256])
def test_everything_that_can_be_typed_can_be_a_password(password: str) -> None:
    assert unusable(password) is None


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("zK4-pw9", "shorter than 10"),
        ("qwertyuiop", "top-100 common password"),
        ("aaaaaaaaaaaaaaaa", 'Repeats like "aaa"'),
        ("dictionary", "easy to guess"),
        ("piranha12345", "easy to guess"),
        ("piranhapiranha", "easy to guess"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str, words: str) -> None:
    assert words in str(weakness(password))


@pytest.mark.parametrize("password", ["correct horse battery staple", "zK4-pw91xv", "zK4-pw91xv#" + "a" * 200])
def test_a_good_password_is_taken(password: str) -> None:
    assert weakness(password) is None
