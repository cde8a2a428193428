"""Where the demo keeps its files. On its own, because every command may have to look whether a demo runs."""

import os
from pathlib import Path

from piranha import resources

ROOT_VARIABLE = "PIRANHA_DEMO_ROOT"


def default_root() -> Path:
    """Return the demo's folder: `.demo` in the checkout, else one in the user's home."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(chosen).absolute()
    top = resources.checkout()
    return top / ".demo" if top is not None else Path.home() / ".local/state/piranha-demo"
