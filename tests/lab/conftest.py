"""These tests run inside the lab's kernel (`make lab`), nowhere else: on a machine's own kernel they would do harm."""

import os

collect_ignore_glob = [] if os.environ.get("PIRANHA_LAB") == "1" else ["test_*.py"]
