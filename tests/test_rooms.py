"""The thinking rooms think: what they import, and which names they use, is on these lists or it is not there.

import-linter (pyproject.toml) says who may import whom among the rooms; this says what of the outside they see.
"""

import ast
from pathlib import Path

import pytest

from piranha import resources

PACKAGE = resources.package()
PAIR = ("pair_texts.py", "pair_findings.py", "pair_orders.py")
PURE = [
    *(path for room in ("config", "ipvs", "health", "ha") for path in sorted((PACKAGE / room).glob("*.py"))),
    *(PACKAGE / name for name in ("errors.py", "status.py", "messages.py", "records.py", *PAIR)),
    *(PACKAGE / name for name in ("sync_messages.py", "sync_frames.py")),
    PACKAGE / "engine" / "flapping.py",
    PACKAGE / "cli" / "restarts.py",
]
SEEN = {
    "array",
    "bisect",
    "collections",
    "contextlib",
    "dataclasses",
    "difflib",
    "enum",
    "functools",
    "gc",
    "hashlib",
    "hmac",
    "ipaddress",
    "itertools",
    "lark",
    "math",
    "msgspec",
    "operator",
    "piranha",
    "re",
    "re2",
    "string",
    "struct",
    "tomllib",
    "types",
    "typing",
    "unicodedata",
    "zlib",
}
ALLOWED = {"syntax.py": {"read_text"}}
"""The grammar is read once, when the module is loaded."""
NEVER_CALLED = {"open", "print", "input", "exec", "eval", "compile", "__import__"}
NEVER_ASKED = {"read_text", "read_bytes", "write_text", "write_bytes", "now", "today", "environ", "getenv"}


def imported(tree: ast.AST) -> dict[str, int]:
    """Return the top names that a module imports, with the line."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0]: node.lineno for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found[(node.module or "piranha").partition(".")[0]] = node.lineno
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_thinking_room_sees_no_socket_no_clock_and_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    touched = [f"line {line}: imports {name}" for name, line in imported(tree).items() if name not in SEEN]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NEVER_CALLED:
            touched.append(f"line {node.lineno}: calls {node.func.id}")
        if isinstance(node, ast.Attribute) and node.attr in NEVER_ASKED - ALLOWED.get(path.name, set()):
            touched.append(f"line {node.lineno}: uses .{node.attr}")
    assert not touched, f"{path.name} thinks and may not touch the world; give it what it needs as an argument"


def test_the_list_of_thinking_rooms_is_not_empty() -> None:
    assert len(PURE) > 10
    assert all(path.is_file() for path in PURE)
