"""A form's values or an address in, a search request out, which can be written as an address again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from urllib.parse import urlencode

from demo.languages import translated
from stan.common.json_values import require

LONGEST_QUERY = 500
MOST = 120
"""Maximum number of results shown."""
MORE = 12
"""Number of results that are added when a visitor asks for more."""
FILTERS = ("folder", "shortest", "longest", "since", "until", "region")
"""Fields that narrow down which videos may be found."""
LARGEST_GAIN = 2.0
"""End of the form's slider, far below that of `stan.library.query`."""


@dataclass(frozen=True)
class SearchRequest:
    """One search: by words, or by a video, or one moment of it, that the results should be like."""

    library: str = ""
    q: str = ""
    like: str = ""
    """Id of the example video; empty for a search by the words `q`."""
    start: float | None = None
    end: float | None = None
    """End of the moment of `like`, in seconds, as is its `start`."""
    gain: float = 1.0
    """Weight of the branch: 0 is CLIP alone, 1 is as trained."""
    top: int = 6
    folder: str = ""
    shortest: float | None = None
    longest: float | None = None
    """Maximum duration in seconds; `shortest` is the minimum."""
    since: str = ""
    until: str = ""
    """Last day of the file's change, such as 2026-01-31; `since` is the first."""
    region: str = ""
    """Part of the map, such as 0.1,0.4,0.5,1: from and to along x, then along y."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SearchRequest:
        """Return the request of an address or a form; values that are missing or empty keep their default.

        Raises ValueError for an invalid value, and for half of a moment.
        """
        named = {one.name: given[one.name] for one in fields(cls) if given.get(one.name) not in (None, "")}
        request = cls(**{name: _read(name, value) for name, value in named.items()})
        moment = [end for end in (request.start, request.end) if end is not None]
        if len(moment) == 1 or moment != sorted(moment):
            raise ValueError(
                translated(
                    "start is {start}, end is {end}: a moment needs both, the start first",
                    start=request.start,
                    end=request.end,
                )
            )
        return request

    @property
    def sides(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Ends of the region along x and y; None for the whole map."""
        if not self.region:
            return None
        left, right, low, high = map(float, self.region.split(","))
        return (left, right), (low, high)

    @property
    def first_day(self) -> date | None:
        """`since` as a date."""
        return date.fromisoformat(self.since) if self.since else None

    @property
    def last_day(self) -> date | None:
        """`until` as a date."""
        return date.fromisoformat(self.until) if self.until else None

    @property
    def asks(self) -> bool:
        """True if there is anything to search for."""
        return bool(self.q.strip() or self.like)

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are set, by field."""
        return {name: value for name in FILTERS if (value := getattr(self, name)) not in (None, "")}

    @property
    def address(self) -> str:
        """Query string, `?q=...`; the page runs this search again when it is opened with it."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return "?" + urlencode(
            {one.name: values[one.name] for one in fields(self) if values[one.name] != one.default}
        )


def _read(name: str, value: Any) -> Any:
    try:
        return _READERS.get(name, _text)(value)
    except ValueError as error:
        raise ValueError(
            translated("{name} is {value}: {why}", name=name, value=repr(value), why=error)
        ) from None


def _number(least: float, most: float, kind: type = float) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not least <= number <= most:
            raise ValueError(
                translated("give a number from {least} to {most}", least=f"{least:g}", most=f"{most:g}")
            )
        return number

    return read


def _day(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError(translated("give a day as year-month-day, 2026-01-31 say")) from None


def _region(value: Any) -> str:
    try:
        left, right, low, high = (round(float(end), 4) for end in str(value).split(","))
        if not (0 <= left <= right <= 1 and 0 <= low <= high <= 1):
            raise ValueError
    except ValueError:
        raise ValueError(
            translated("give four numbers from 0 to 1: from and to along x, then along y")
        ) from None
    return ",".join(f"{end:g}" for end in (left, right, low, high))


def _text(value: Any) -> str:
    try:
        require("text", value, "str")
    except ValueError:  # also for half a character, which no address can spell
        raise ValueError(translated("give plain text")) from None
    return value


def _query(value: Any) -> str:
    if len(_text(value)) > LONGEST_QUERY:
        raise ValueError(translated("a query may have {most} characters", most=LONGEST_QUERY))
    return value


_SECONDS = _number(0, 1e6)
_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("start", "end", "shortest", "longest"), _SECONDS),
    "gain": _number(0, LARGEST_GAIN),
    "top": _number(1, MOST, int),
    "q": _query,
    "since": _day,
    "until": _day,
    "region": _region,
}
