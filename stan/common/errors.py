"""An error in; its message for others, without folders of the machine that it happened on, out."""

from __future__ import annotations

import re
from pathlib import Path


def told(error: Exception) -> str:
    """Return the message of an error that the user can fix; a `VideoError` names its file, not where it lies."""
    reason = getattr(error, "reason", None)
    if reason is None:
        return str(error)
    return f"{Path(getattr(error, 'path', '')).name}: {re.sub(_PATH, '', reason)}; {getattr(error, 'remedy', '')}"


_PATH = r":? ?'/[^')]*'?"
