"""The name of a list that is kept in a library's folder in; its items, read or changed as a whole, out.

The list is a JSON file beside the library's table, never in it: indexing only tells it where a video has moved.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout

from stan.common.errors import reason
from stan.common.files import write_json
from stan.common.json_values import from_json

PATIENCE = 10.0
"""Seconds that a change waits for another one to end."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Moment:
    """A stretch of one video of a library."""

    id: str
    """The video's id."""
    name: str
    start: float
    end: float
    """In seconds of the video, as `start` is."""

    @classmethod
    def of(cls, told: Any) -> Moment:
        """Return the moment that a JSON object tells. Raises TypeError, KeyError or ValueError if it tells none."""
        start, end = float(told["start"]), float(told["end"])
        if not 0 <= start <= end < math.inf:
            raise ValueError(f"no moment lies from {start} to {end} seconds")
        return cls(str(told["id"]), str(told["name"]), start, end)

    def meets(self, id: str, start: float, end: float) -> bool:
        """Return whether this moment and another one of a video share any time."""
        same = (self.start, self.end) == (start, end)
        return self.id == id and (same or self.start < end and start < self.end)


class KeptList(Generic[Item]):
    """The list `name` in a library's folder.

    read: makes an item of a JSON value; it may raise TypeError, KeyError or ValueError.
    """

    def __init__(self, folder: Path, name: str, read: Callable[[Any], Item]):
        self._folder, self._name, self._read = folder, name, read
        self._file = folder / f"{name}.json"

    def items(self) -> list[Item]:
        """Return the items; none while nothing was kept. Raises ValueError for a file that is damaged."""
        try:
            return self._items_in(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ValueError(
                f"{self._shown} cannot be read ({reason(error)}): see to its permissions"
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{self._shown} is damaged: repair it, or move it away to begin anew; nothing is written over it"
            ) from error

    @contextmanager
    def changing(self) -> Generator[list[Item]]:
        """Yield the items, and keep what they are changed to. Nobody else, in any process, changes them meanwhile.

        Raises ValueError for a damaged file, which stays as it is, for items that could not be read again, and for a
        folder that cannot be written to.
        """
        try:
            with FileLock(self._folder / f".{self._name}.lock", timeout=PATIENCE):
                items = self.items()
                yield items
                held = {self._name: [asdict(one) for one in items]}  # ty: ignore[invalid-argument-type]
                self._require_readable(held)
                write_json(self._file, held)
        except Timeout:
            raise ValueError(f"{self._shown} is being changed by others: try again") from None
        except OSError as error:
            raise ValueError(
                f"{self._shown} cannot be written ({reason(error)}): what it held stands"
            ) from error

    def _items_in(self, text: str) -> list[Item]:
        return [self._read(one) for one in from_json(text)[self._name]]

    def _require_readable(self, held: dict[str, Any]) -> None:
        try:
            self._items_in(json.dumps(held))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{self._shown} cannot keep this ({error}): what it held stands") from error

    @property
    def _shown(self) -> str:
        return os.path.join(self._folder.name, self._file.name)
