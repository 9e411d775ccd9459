"""A registry, a name and options in; an instance of the named class out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


def build(
    kind: str, registry: Mapping[str, type], name: str, given: tuple, options: Mapping[str, Any]
) -> Any:
    """Return `registry[name](*given, **options)`; options are the keyword-only arguments of the class.

    kind: what the registry holds, for messages. Raises ValueError for an unknown name or option, listing the known
    ones.
    """
    if name not in registry:
        raise ValueError(f"{kind} {name!r} is not known; there are {', '.join(registry)}")
    parameters = inspect.signature(registry[name].__init__).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return registry[name](*given, **options)
