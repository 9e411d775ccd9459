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
    ones, and for a missing option.
    """
    if name not in registry:
        raise ValueError(f"{kind} {name!r} is not known; there are {', '.join(registry)}")
    parameters = inspect.signature(registry[name].__init__).parameters.values()
    known = {p.name: p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    lacking = [option for option, needed in known.items() if needed and option not in options]
    if lacking:
        raise ValueError(f"{name} needs the option {', '.join(lacking)}")
    return registry[name](*given, **options)
