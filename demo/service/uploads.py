"""Uploads of visitors in; ids by which the page plays them out."""

from __future__ import annotations

import secrets
from pathlib import Path

from stan.library.proxies import Proxies

REMEMBERED = 256
"""Number of uploads that can still be played; older ones are forgotten."""


class Uploads:
    """proxies: makes what is shown of them."""

    def __init__(self, proxies: Proxies):
        self._proxies = proxies
        self._files: dict[str, Path] = {}

    def admit(self, upload: Path) -> str:
        """Return a new id of the upload; it does not reveal where the file is."""
        while len(self._files) >= REMEMBERED:
            self._files.pop(next(iter(self._files)))
        id = secrets.token_hex(16)
        self._files[id] = upload
        return id

    def __contains__(self, id: str) -> bool:
        return id in self._files

    def media(self, id: str, kind: str, part: int | None = None) -> Path:
        """Return what `Proxies` makes of it."""
        return self._proxies(self._files[id], kind, part)
