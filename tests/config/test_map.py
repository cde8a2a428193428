"""The map of the room names every file in it: a newcomer finds in a minute where a change belongs."""

import re
from pathlib import Path

from piranha import config


def test_every_file_of_the_room_is_on_its_map() -> None:
    files = {path.stem for path in Path(config.__file__).parent.glob("*.py")} - {"__init__"}
    named = set(re.findall(r"`([a-z_*]+)`", config.__doc__ or ""))
    families = tuple(name[1:] for name in named if name.startswith("*"))
    assert {file for file in files if file not in named and not file.endswith(families)} == set()
    assert {name for name in named if "*" not in name and name not in files} == set()
