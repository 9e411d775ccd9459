"""Nothing in; where the package's own files, and the folders that lie beside it in a clone, are out."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = PACKAGE / "assets"
"""Weights, run records, printed numbers and label names that come with the package."""

ROOT = PACKAGE.parent
"""The clone, where the package is installed from one."""


def project_folder(name: str) -> Path:
    """The folder `name` (dashboard, demo or notebooks) of the clone that this package is installed from.

    Raises ValueError where there is none, because only a clone has them.
    """
    folder = ROOT / name
    if not folder.is_dir():
        raise ValueError(
            f"no folder {name} in {folder.parent}: it comes with a clone; install from one by `make install`"
        )
    return folder
