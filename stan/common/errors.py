"""An error in; its message or its reason out, without folders of this machine, or with the file that it is about."""

from __future__ import annotations

import re
from pathlib import Path


def told(error: Exception) -> str:
    """Return the message of an error that the user can fix; a `VideoError` names its file, not where it lies."""
    why = getattr(error, "reason", None)
    if why is None:
        return str(error)
    name, remedy = Path(getattr(error, "path", "")).name, getattr(error, "remedy", "")
    return f"{name}: {re.sub(_PATH, '', why)}; {remedy}"


def about(path: Path, error: Exception, where: str = "") -> str:
    """Return an error's message if it names `path`, else the message behind `where` (default: the path)."""
    return str(error) if str(path) in str(error) else f"{where or path}: {error}"


def reason(error: OSError) -> str:
    """Return what the system says of an error, without the file or the address that the whole message may name."""
    return error.strerror or type(error).__name__


_PATH = r":? ?'/[^')]*'?"
