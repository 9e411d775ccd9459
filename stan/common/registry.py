"""A registry, a name and options in; an instance of the named class out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from stan.common.json_values import require


def build(
    kind: str, registry: Mapping[str, type], name: str, given: tuple, options: Mapping[str, Any]
) -> Any:
    """Return `registry[name](*given, **options)`. Raises ValueError as `check` does, and for sizes of no layer."""
    check(kind, registry, name, options)
    try:
        return registry[name](*given, **options)
    except (RuntimeError, AssertionError) as error:  # torch's, as of a negative size
        raise ValueError(f"{name} can't be built with {dict(options)}: {error}") from error


def check(kind: str, registry: Mapping[str, type], name: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError for an unknown name or option, listing the known ones, for a missing option, and for a value
    that isn't as the option's annotation says.

    kind: what the registry holds, for messages. options: the keyword-only arguments of the class `registry[name]`.
    """
    if name not in registry:
        raise ValueError(f"{kind} {name!r} is not known; there are {', '.join(registry)}")
    parameters = inspect.signature(registry[name].__init__).parameters.values()
    known = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    lacking = [option for option, p in known.items() if p.default is p.empty and option not in options]
    if lacking:
        raise ValueError(f"{name} needs the option {', '.join(lacking)}")
    for option, value in options.items():
        require(f"{name}'s option {option}", value, known[option].annotation)
