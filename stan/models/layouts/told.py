"""What a config beside a released file says in, the settings that no weight shows out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flags(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the source takes on its command line, at the top of the config or under `flags`."""
    return {**told, **told.get("flags", {})}


def layer_norm_eps(told: Mapping[str, Any], part: str, released: float) -> float:
    """Return the LayerNorm eps of one of the source's modules; `released` if the config doesn't give it.

    `layer_norm_eps` is one number, or a number by the modules that share it: {"transformerClip, cross": 1e-12}.
    """
    given = told.get("layer_norm_eps", {})
    if not isinstance(given, Mapping):
        return given
    return next((eps for parts, eps in given.items() if part in parts.split(", ")), released)


def require(told: Mapping[str, Any], supported: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise ValueError for a flag with another value than those supported; a flag that isn't given passes."""
    given = flags(told)
    for name, values in supported.items():
        if name in given and given[name] not in values:
            known = " or ".join(map(repr, values))
            raise ValueError(
                f"the config beside the checkpoint says {name}={given[name]!r}; here it can only be {known}"
            )
