"""A registry, a name and options in; what they name, built, out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


def build(
    kind: str, registry: Mapping[str, type], name: str, given: tuple, options: Mapping[str, Any]
) -> Any:
    """`registry[name](*given, **options)`; options are what its class takes by keyword alone.

    kind: what the registry holds, for messages. Raises ValueError for a name or option that isn't known, listing those
    that are.
    """
    if name not in registry:
        raise ValueError(f"{kind} {name!r} is not known; there are {', '.join(registry)}")
    parameters = inspect.signature(registry[name].__init__).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return registry[name](*given, **options)
