"""An error in; its message or its reason, without folders of the machine that it happened on, out."""

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


def reason(error: OSError) -> str:
    """Return what the system says of an error, without the file or the address that the whole message may name."""
    return error.strerror or type(error).__name__


_PATH = r":? ?'/[^')]*'?"
