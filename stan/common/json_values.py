"""JSON text in, its values out; values of any kind in, the plain ones that JSON knows out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial
from numbers import Integral
from pathlib import Path
from typing import Any


def from_json(text: str | bytes, **hooks: Any) -> Any:
    """Return the value in JSON text; hooks: those of `json.loads`.

    Raises ValueError for what is no JSON (or bytes that are no text), is nested too deeply, has a number of thousands
    of digits, or half of a character that is written as two.
    """
    try:
        value = json.loads(text, **hooks)
        written = text if isinstance(text, bytes) else text.encode()
        if b"\\ud" in written or b"\\uD" in written:  # emoji are written as two such halves
            json.dumps(value, ensure_ascii=False, default=str).encode()
        return value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None


class Doubled(ValueError):
    """Raised for a name that stands twice in one object."""


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's values by name: the hook `object_pairs_hook`. Raises Doubled, where JSON keeps the last."""
    values = dict(pairs)
    if len(values) < len(pairs):
        [(most, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise Doubled(f"{most!r} stands twice in one object: remove one")
    return values


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # half of a pair that JSON writes as \ud800
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, float) and math.isfinite(value)


def _is_list_of(fits: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(fits, value))


KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", _is_text),
    "int": ("a whole number", _is_whole),
    "float": ("a finite number", _is_number),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "list[int]": ("a list of whole numbers", partial(_is_list_of, _is_whole)),
    "tuple[float, ...]": ("a list of numbers", partial(_is_list_of, _is_number)),
    "Sequence[str]": ("a list of texts", partial(_is_list_of, _is_text)),
    "tuple[str, ...]": ("a list of texts", partial(_is_list_of, _is_text)),
    "dict[str, Any]": ("an object", lambda value: isinstance(value, dict)),
    "None": ("null", lambda value: value is None),
}
"""Annotations of settings: what they mean in words, and whether a value of JSON fits."""


def require(name: str, value: Any, annotation: str) -> None:
    """Raise ValueError, naming the setting, for a value that isn't as its annotation says, such as `int | None`."""
    words, all_fit = _kinds(annotation)
    if not any(fits(value) for fits in all_fit):
        raise ValueError(f"{name} is {value!r:.80}; it must be {words}")


def require_count(name: str, value: Any) -> None:
    """Raise ValueError, naming it, for what is no whole number of at least 1, Python's or numpy's."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r:.80}; it must be a whole number of at least 1")


@cache
def _kinds(annotation: str) -> tuple[str, list[Callable[[Any], bool]]]:
    words, fits = zip(*(KINDS[kind] for kind in annotation.split(" | ")), strict=True)
    return " or ".join(words), list(fits)


def plain(value: Any) -> Any:
    """Convert to JSON values: numpy scalars to Python's own, paths to text, NaN and infinity to null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
