"""The shared key: read from a file that is really secret, or not at all."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system import heartbeat_key

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    found.heartbeat_key.parent.mkdir(parents=True)
    return found


def test_there_is_no_key_where_there_is_no_file(paths: Paths) -> None:
    assert heartbeat_key.read(paths) == ()


def test_what_is_written_is_read_and_for_nobody_else(paths: Paths) -> None:
    heartbeat_key.write(paths, (KEY,))
    assert heartbeat_key.read(paths) == (KEY,)
    paths.heartbeat_key.chmod(0o400)
    heartbeat_key.write(paths, (OTHER, KEY))
    assert heartbeat_key.read(paths) == (OTHER, KEY)
    assert paths.heartbeat_key.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in paths.heartbeat_key.parent.iterdir()] == ["heartbeat.key"]


def test_empty_lines_and_comments_do_nothing_and_a_key_counts_once(paths: Paths) -> None:
    lines = b"# the pair of the web shop\r\n\n%s\r\n%s" % (base64.b64encode(KEY), base64.b64encode(KEY))
    assert heartbeat_key.parse(lines) == (KEY,)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_key_that_others_can_read_or_write_is_refused(paths: Paths, mode: int) -> None:
    heartbeat_key.write(paths, (KEY,))
    paths.heartbeat_key.chmod(mode)
    with pytest.raises(ConfigUnavailable, match=r"is no secret and is not used. Close it .*chmod 0600.*--new-key"):
        heartbeat_key.read(paths)


def test_a_link_a_folder_and_a_pipe_are_refused_at_once(paths: Paths) -> None:
    heartbeat_key.write(paths, (KEY,))
    kept = paths.heartbeat_key.rename(paths.heartbeat_key.with_name("kept"))
    paths.heartbeat_key.symlink_to(kept)
    with pytest.raises(ConfigUnavailable, match="cannot be read"):
        heartbeat_key.read(paths)
    paths.heartbeat_key.unlink()
    paths.heartbeat_key.mkdir()
    with pytest.raises(ConfigUnavailable, match="is not a file"):
        heartbeat_key.read(paths)
    paths.heartbeat_key.rmdir()
    os.mkfifo(paths.heartbeat_key, 0o600)
    with pytest.raises(ConfigUnavailable, match="is not a file"):
        heartbeat_key.read(paths)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "there is no key in it"),
        (b"# none\n\n", "there is no key in it"),
        (b"secret\n", "line 1 is not 32 bytes in base64"),
        (base64.b64encode(KEY) + b"\n" + base64.b64encode(KEY[:31]), "line 2 is not 32 bytes"),
        (base64.b64encode(KEY)[:-1], "line 1 is not 32 bytes"),
        (b"\xff" * 44, "line 1 is not 32 bytes"),
        (b"\n" * 5000, "more than 4096 bytes"),
        (heartbeat_key.text_of([bytes([number]) * 32 for number in range(5)]), "more than 4 keys"),
    ],
)
def test_what_is_no_key_is_told_with_its_line(paths: Paths, raw: bytes, says: str) -> None:
    paths.heartbeat_key.write_bytes(raw)
    paths.heartbeat_key.chmod(0o600)
    with pytest.raises(ConfigUnavailable, match=f"{says}.*piranha pair"):
        heartbeat_key.read(paths)


def test_a_fresh_key_is_another_one_and_a_fingerprint_is_short() -> None:
    made = {heartbeat_key.fresh() for _ in range(8)}
    assert len(made) == 8
    assert {len(each) for each in made} == {32}
    assert len({heartbeat_key.fingerprint(each) for each in made}) == 8
    assert len(heartbeat_key.fingerprint(KEY)) == 16


@given(st.binary(max_size=200))
def test_any_bytes_are_keys_or_a_sentence(raw: bytes) -> None:
    try:
        keys = heartbeat_key.parse(raw)
    except ValueError as problem:
        assert str(problem).endswith(".")
        return
    assert 1 <= len(keys) <= heartbeat_key.KEYS_MAX
    assert all(len(key) == heartbeat_key.KEY_BYTES for key in keys)
    assert heartbeat_key.parse(heartbeat_key.text_of(keys)) == keys
