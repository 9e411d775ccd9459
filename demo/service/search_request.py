"""What a visitor searches for: a form's values or an address in, one value out that the address spells again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from urllib.parse import urlencode

LONGEST_QUERY = 500
MOST = 24
"""Results shown at most."""
LARGEST_GAIN = 2.0


@dataclass(frozen=True)
class SearchRequest:
    """One search: words, or a video (perhaps one moment of it) that others should be like."""

    library: str = ""
    q: str = ""
    like: str = ""
    """A video's id; empty when `q` is searched for."""
    start: float | None = None
    end: float | None = None
    """The moment of `like`, in seconds."""
    gain: float = 1.0
    """0: CLIP alone; 1: the branch as trained."""
    top: int = 6
    folder: str = ""
    shortest: float | None = None
    longest: float | None = None
    """Seconds."""
    since: str = ""
    until: str = ""
    """Days, as 2026-01-31."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SearchRequest:
        """What an address or a form asks for; what is missing or empty stays as it is by default.

        Raises ValueError for a value that cannot be meant.
        """
        named = {one.name: given[one.name] for one in fields(cls) if given.get(one.name) not in (None, "")}
        return cls(**{name: _read(name, value) for name, value in named.items()})

    @property
    def asks(self) -> bool:
        """Whether there is anything to search for."""
        return bool(self.q.strip() or self.like)

    @property
    def address(self) -> str:
        """`?q=...`: opening the page there runs this search again."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return "?" + urlencode(
            {one.name: values[one.name] for one in fields(self) if values[one.name] != one.default}
        )


def _read(name: str, value: Any) -> Any:
    try:
        return _READERS.get(name, str)(value)
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}: {error}") from None


def _number(least: float, most: float, kind: type = float) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        try:
            number = kind(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"give a number from {least:g} to {most:g}")
        return number

    return read


def _day(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError("give a day as year-month-day, 2026-01-31 say") from None


def _query(value: Any) -> str:
    if len(str(value)) > LONGEST_QUERY:
        raise ValueError(f"a query may have {LONGEST_QUERY} characters")
    return str(value)


_SECONDS = _number(0, 1e6)
_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("start", "end", "shortest", "longest"), _SECONDS),
    "gain": _number(0, LARGEST_GAIN),
    "top": _number(1, MOST, int),
    "q": _query,
    "since": _day,
    "until": _day,
}
