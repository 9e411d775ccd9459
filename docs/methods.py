"""The registries of methods and similarities in; a page of them and their sources, made of docstrings, out."""

from __future__ import annotations

from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS

_HEAD = """# Methods and their sources

Every temporal method of `stan.models.temporal.METHODS` and every similarity of `stan.models.similarity.SIMILARITIES`,
with its source, what it starts as, and where it differs from its authors' code. All run under one recipe; the rows that
stand for them are in the study [structures](../results/structures.md). They are written from their sources'
descriptions and tested by hand-made cases. STAN itself is tested against outputs of its released code.
"""


def page_of_methods() -> str:
    """Markdown with one section for each name."""
    parts = [_HEAD, "## Temporal methods\n"]
    parts += [_section(name, method) for name, method in METHODS.items()]
    parts += ["## Similarities\n", *(_section(name, one) for name, one in SIMILARITIES.items())]
    return "\n".join(parts)


def _section(name: str, one: type) -> str:
    directive = f".. autoclass:: {one.__module__}.{one.__name__}\n   :no-members:\n   :no-index:"
    return f"### {name}\n\n```{{eval-rst}}\n{directive}\n```\n"
