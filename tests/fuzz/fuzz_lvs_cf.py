"""Coverage-guided fuzzing of the lvs.cf language: `python -m tests.fuzz.fuzz_lvs_cf [-runs=N] [-seed=N] ...`

Words that begin with - go to libFuzzer (atheris). Inputs that reach something new, and those that fail, are kept in
`FOLDER` (default .hypothesis/fuzz), from where the next run goes on; `--fresh` begins with the seeds alone. Give it a
failing input's file to run that one alone.
Where atheris cannot be installed, the same inputs come from plain random changes of the seeds, without its guidance.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import atheris
except ModuleNotFoundError:  # no wheel for this machine
    atheris = None

TOP = Path(__file__).parents[2]
KEPT = TOP / ".hypothesis" / "fuzz"
CORPUS = TOP / "tests" / "data" / "corpus"
RUNS = 1_000_000
LONGEST = 1024
"""Bytes of an input. Some forty lines; longer corpus files are cut to it."""

_MARKS = (
    '"', "'", "{", "}", " {\\x0a", "\\x0a}\\x0a", " = ", "=", "#", "\\x0a#", "\\x0d", "\\x0d\\x0a", "\\x00", "[ ", " ]",
    "\\xef\\xbb\\xbf", "\\\\", '\\\\"', "0x", "010", "255.255.255.0", "192.0.2.1", "eth0:1", "::1", "virtual a {\\x0a",
    "failover f {\\x0a", "server s {\\x0a", "virtual[a].server[s].", "#2]", '["a b"]',
)  # fmt: skip


def _one_input() -> Callable[[bytes], None]:
    """Import what is fuzzed, instrumented if it can be."""
    if atheris is None:
        from tests.fuzz.targets import one_input
    else:
        # Only what is under the name of the project; the parser generator and the checks themselves are not asked.
        with atheris.instrument_imports(include=["piranha"]):
            from tests.fuzz.targets import one_input
    return one_input


def seeds() -> Iterator[bytes]:
    """Yield first inputs: each corpus file, whole and in pieces, for every target with some decisions."""
    from tests.fuzz.targets import CHOICES, TARGETS

    rng = random.Random(3)
    for file in sorted(CORPUS.glob("*.cf")):
        raw = file.read_bytes()
        pieces = [raw[: LONGEST - 1 - CHOICES], *(raw[start : start + 300] for start in range(0, len(raw), 300))]
        for number, piece in enumerate(pieces):
            yield bytes([number % len(TARGETS)]) + rng.randbytes(CHOICES) + piece
    for text in ("virtual[http].server[web1].weight", 'virtual["a\\"b"#2].port', "GET / HTTP/1.0\\r\\n\\t\\\\\\d"):
        for target in range(len(TARGETS)):
            yield bytes([target]) + bytes(CHOICES) + text.encode()


def dictionary() -> str:
    """Return the words worth trying, in libFuzzer's form: keywords and the marks of the language."""
    from tests.fuzz.targets import KEYWORDS

    words = [*KEYWORDS, *(f"{keyword} = 1\\x0a" for keyword in KEYWORDS), *_MARKS]
    return "".join('"{}"\n'.format(word.replace("\\\\", "\\x5c").replace('"', '\\"')) for word in words)


def _guided(one_input: Callable[[bytes], None], words: list[str], folder: Path) -> None:
    """Give the run to atheris, which ends the process: 0 if nothing was found."""
    with tempfile.NamedTemporaryFile("w", suffix=".dict", delete=False) as file:
        file.write(dictionary())
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number:03}").write_bytes(seed)
    fixed = [f"-max_len={LONGEST}", f"-dict={file.name}", f"-artifact_prefix={folder}/failed-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *fixed, *words, str(folder)], one_input)
    atheris.Fuzz()


def changed(rng: random.Random, raw: bytes, words: list[bytes]) -> bytes:
    """Return an input with one to four random changes: a byte, a word put in, a piece gone or doubled."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(raw) + 1)
        end = min(len(raw), start + rng.randint(0, 24))
        match rng.randrange(4):
            case 0:
                raw = raw[:start] + rng.randbytes(1) + raw[start + 1 :]
            case 1:
                raw = raw[:start] + rng.choice(words) + raw[start:]
            case 2:
                raw = raw[:start] + raw[end:]
            case _:
                raw = raw[:end] + raw[start:end] + raw[end:]
    return raw[:LONGEST]


def _unguided(one_input: Callable[[bytes], None], runs: int, seed: int, folder: Path) -> None:
    """Run random changes of the seeds."""
    rng = random.Random(seed)
    first = list(seeds())
    words = [line[1:-1].encode().decode("unicode_escape").encode("latin-1") for line in dictionary().splitlines()]
    start = time.perf_counter()
    for _ in range(runs):
        raw = changed(rng, rng.choice(first), words)
        try:
            one_input(raw)
        except BaseException:
            failed = folder / f"failed-{abs(hash(raw)):x}"
            failed.write_bytes(raw)
            print(f"This input fails; it is kept in {failed}: {raw!r}", file=sys.stderr)
            raise
    print(f"#{runs} DONE without coverage, exec/s: {runs / (time.perf_counter() - start):.0f}", file=sys.stderr)


def _number(words: list[str], name: str, default: int) -> int:
    found = [word.partition("=")[2] for word in words if word.startswith(f"-{name}=")]
    return int(found[-1]) if found else default


def main() -> None:
    """Fuzz until the runs are done, or something is found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--fresh", action="store_true", help="begin with the seeds alone and keep nothing")
    parser.add_argument("--unguided", action="store_true", help="without atheris, even if it is there")
    chosen, words = parser.parse_known_args()
    alone = [Path(word) for word in words if not word.startswith("-")]
    one_input = _one_input()
    for file in alone:
        one_input(file.read_bytes())
        print(f"{file}: nothing is wrong with it", file=sys.stderr)
    if alone:
        return
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")) if chosen.fresh else KEPT
    folder.mkdir(parents=True, exist_ok=True)
    runs = _number(words, "runs", RUNS)
    if atheris is None or chosen.unguided:
        _unguided(one_input, runs, _number(words, "seed", 1), folder)
    else:
        _guided(one_input, [f"-runs={runs}", *words], folder)


if __name__ == "__main__":
    main()
