"""What a config beside a released file says in, the settings that no weight shows out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.common import json_values


def flags(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the source takes on its command line, at the top of the config or under `flags`."""
    return {**told, **told.get("flags", {})}


def part(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of one of the source's parts. Raises ValueError for what is no object of settings."""
    given = told.get(name, {})
    json_values.require(f"the config beside the checkpoint: {name}", given, "dict[str, Any]")
    return given


def frames(settings: Mapping[str, Any], name: str) -> dict[str, int]:
    """Return the number of frames that one of the source's settings gives, as a part of the design; empty without it.

    Raises ValueError for what is no whole number.
    """
    given = settings.get(name)
    if given is None:
        return {}
    json_values.require(f"the config beside the checkpoint: {name}", given, "int")
    return {"frames": given}


def layer_norm_eps(told: Mapping[str, Any], part: str, released: float) -> float:
    """Return the LayerNorm eps of one of the source's modules; `released` if the config doesn't give it.

    `layer_norm_eps` is one number, or a number by the modules that share it: {"transformerClip, cross": 1e-12}.
    """
    given = told.get("layer_norm_eps", {})
    if not isinstance(given, Mapping):
        return given
    return next((eps for parts, eps in given.items() if part in parts.split(", ")), released)


def class_names(told: Mapping[str, Any], classes: int) -> list[str]:
    """Return what a config of Hugging Face's calls a classifier's classes, in their order (`id2label`).

    An empty list where there is no config or its names only count (LABEL_0, LABEL_1, ...). Raises ValueError if it
    names another number of classes, or not each of them.
    """
    given = {str(number): name for number, name in told.get("id2label", {}).items()}
    if all(name == f"LABEL_{number}" for number, name in given.items()):
        return []
    numbers = [str(i) for i in range(classes)]
    if given.keys() != set(numbers):
        raise ValueError(
            f"the config beside the checkpoint names {len(given)} classes (id2label), and the classifier has {classes}:"
            " put the config of the same release there"
        )
    return [given[number] for number in numbers]


def require(told: Mapping[str, Any], supported: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise ValueError for a flag with another value than those supported; a flag that isn't given passes."""
    given = flags(told)
    for name, values in supported.items():
        if name in given and given[name] not in values:
            known = " or ".join(map(repr, values))
            raise ValueError(
                f"the config beside the checkpoint says {name}={given[name]!r}; here it can only be {known}"
            )
