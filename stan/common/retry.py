"""Something that a server may fail to do in; what it gives, after new attempts where it fails, out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PAUSES = (0.5, 2.0)
"""Seconds to wait before each new attempt."""

T = TypeVar("T")


def patiently(act: Callable[[], T], *at_once: type[Exception]) -> T:
    """Return what `act` returns, after new attempts if it fails for a reason that may be temporary.

    FileNotFoundError, PermissionError and the errors `at_once` are raised as soon as they come. Raises OSError if the
    last attempt fails.
    """
    for pause in (*PAUSES, None):
        try:
            return act()
        except (FileNotFoundError, PermissionError, *at_once):
            raise
        except Exception as error:  # clients of object storage raise their own kinds of errors
            if pause is None:
                raise OSError(f"{type(error).__name__}: {error}") from error
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")
