"""Where the trees that ship beside the code are found.

In a wheel they lie inside the package: pyproject.toml maps templates -> piranha/templates. In a checkout
(`pip install -e .` included) they lie next to it, beside pyproject.toml.
"""

from importlib.resources import files
from pathlib import Path


def package() -> Path:
    """Return the folder of the `piranha` package."""
    return Path(str(files("piranha")))


def checkout() -> Path | None:
    """Return the top of the source checkout that the package runs from, or None for an installed wheel."""
    top = package().parent
    return top if (top / "pyproject.toml").is_file() and (top / "grammar").is_dir() else None


def tree(name: str) -> Path:
    """Return the folder `templates`, `static` or `grammar`.

    Raises FileNotFoundError, naming both places, if the installation lost it.
    """
    inside = package() / name
    if inside.is_dir():
        return inside
    top = checkout()
    if top is not None and (top / name).is_dir():
        return top / name
    raise FileNotFoundError(f"piranha was installed without its {name}/ folder (looked in {inside} and beside it)")
