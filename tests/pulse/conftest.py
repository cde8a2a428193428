"""What pulse's tests share: a root of their own, and clusters from texts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from piranha.config.load import load
from piranha.config.model import Cluster
from piranha.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A root of its own with its folders."""
    found = Paths(tmp_path)
    for folder in (found.lvs_cf.parent, found.run, found.state):
        folder.mkdir(parents=True)
    return found


@pytest.fixture
def cluster_of() -> Callable[[str], Cluster]:
    """Return a cluster for the text of an lvs.cf."""
    return lambda text: load(text).cluster
