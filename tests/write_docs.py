"""Write the pages that are made from the tables of the code: `make docs`."""

from collections.abc import Callable
from pathlib import Path

from piranha.config.fault_page import fault_page
from piranha.config.manual_page import manual_page

DOCS = Path(__file__).parents[1] / "docs"
PAGES: dict[Path, Callable[[], str]] = {
    DOCS / "faults.md": fault_page,
    DOCS / "man" / "lvs.cf.5": manual_page,
}


def main() -> None:
    """Write every page."""
    for path, text in PAGES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
