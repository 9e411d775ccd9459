"""Folders that may be indexed, by name, in; the path of one of them, or of a folder in it, out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


class Roots:
    """Folders that others may have indexed, with all below them. Raises ValueError for what is no folder."""

    def __init__(self, folders: Mapping[str, Path]):
        for folder in folders.values():
            if not os.path.isdir(folder):  # false for a name that is too long, too
                raise ValueError(f"--allow-folders {folder} is no folder: name one that is there")
        self._folders = {name: folder.resolve() for name, folder in folders.items()}

    @property
    def names(self) -> list[str]:
        return list(self._folders)

    def items(self) -> list[tuple[str, Path]]:
        """Return each name with its path, links resolved."""
        return list(self._folders.items())

    def path(self, name: str, below: str = "") -> Path:
        """Return the path of `below` in the folder called `name`, links resolved.

        Raises ValueError for another name, for a `below` that leads out of the folder and for one that is not there.
        """
        if name not in self._folders:
            raise ValueError(f"{name} is none of the folders that may be indexed: choose one of the list")
        root = self._folders[name]
        try:
            wanted = (root / below).resolve()
        except (OSError, ValueError, RuntimeError):
            wanted = root.parent
        if not wanted.is_relative_to(root):
            raise ValueError(f"{below} leads out of {name}: name a folder in it")
        if not os.path.isdir(wanted):
            raise ValueError(f"{name} has no folder {below}: name one that is there, or leave it empty")
        return wanted
