"""Offers the paths of the package's own files, the notebooks and the apps."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = PACKAGE / "assets"
"""Weights, run records, printed numbers and label names that come with the package."""

ROOT = PACKAGE.parent
"""Root of the clone, if the package is installed from one; else the folder of all installed packages."""

BUNDLED = PACKAGE / "apps"
"""Folder in which a wheel holds what lies beside `stan` in a clone."""


def project_folder(name: str) -> Path:
    """Return the folder `name` (dashboard, demo or notebooks) of the wheel or clone that the package is installed from.

    Raises ValueError where there is none.
    """
    for place in (BUNDLED, ROOT):
        if (place / name).is_dir() and (place == BUNDLED or is_clone()):
            return place / name
    raise ValueError(f"this installation has no folder {name}: install stan-video again")


def is_clone() -> bool:
    """Return whether the package is installed from a clone, whose root is ROOT."""
    return (ROOT / "pyproject.toml").is_file() and (ROOT / "notebooks").is_dir()
