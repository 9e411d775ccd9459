"""The cards of all methods and similarities in; a page for each, its picture, and one table of them all, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS
from stan.report import method_cards
from stan.report.method_cards import Card
from stan.report.method_pictures import NUMBERS, svg

_HEAD = """---
hide-toc: true
---

# Methods and their sources

Every temporal method of `stan.models.temporal.METHODS` and every similarity of `stan.models.similarity.SIMILARITIES`,
with its source, what it starts as, and where its defaults differ from its authors' code. With the released setting,
each is compared with outputs of that code, computed once on small random weights (`tests/golden`); `stan doctor
--parity` repeats the comparison. What is left out of it has its reason on the method's page. The study
[structures](../results/structures.md) trains all of them under one recipe.

```{raw} html
<style>.content { width: 100%; max-width: 80em }</style>
```

"""
_INK = {"light": "#1F2933", "dark": "#F1F3F5"}
_CLASSES = {"temporal": METHODS, "similarity": SIMILARITIES}
_KINDS = {"temporal": "Temporal methods", "similarity": "Similarities"}


def write_pages(folder: Path) -> None:
    """Write `methods.md` into the folder, and a page and two pictures for each card into its folder `methods`."""
    cards = [method_cards.card(name) for name in method_cards.names()]
    (folder / "methods").mkdir()
    (folder / "methods.md").write_text("\n".join(_overview(cards)), encoding="utf-8")
    for card in cards:
        for theme, ink in _INK.items():
            (folder / "methods" / f"{card.name}-{theme}.svg").write_text(
                svg(card.mechanism, ink), encoding="utf-8"
            )
        (folder / "methods" / f"{card.name}.md").write_text("\n".join(_page(card)), encoding="utf-8")


def _overview(cards: Sequence[Card]) -> Iterator[str]:
    yield _HEAD
    for kind, title in _KINDS.items():
        yield f"## {title}\n"
        columns = ("method and source", "parity", "differs by default", "starts as", "the source's recipe")
        yield from _table(columns, [_line(card) for card in cards if card.kind == kind])
    yield f"{method_cards.origin()}\n"
    yield "```{toctree}\n:hidden:\n"
    yield from (f"methods/{card.name}" for card in cards)
    yield "```\n"


def _line(card: Card) -> tuple[str, ...]:
    of = card.mechanism
    return (
        f"[{of.title}](methods/{card.name}.md) `{card.name}` {card.source}",
        card.parity,
        of.differs,
        of.starts,
        of.recipe,
    )


def _page(card: Card) -> Iterator[str]:
    of = card.mechanism
    yield f"# {of.title}\n"
    yield f"`{card.name}`, {of.paper}.\n"
    for theme in _INK:
        yield f"```{{image}} {card.name}-{theme}.svg\n:class: only-{theme}\n:width: 540px"
        yield f":alt: where {card.name} acts in CLIP\n```\n"
    for number, part in zip(NUMBERS, of.parts, strict=False):
        yield f"{number} {part.words}\n"
    yield from _table(("", ""), method_cards.facts(card))
    for title, table in (
        ("Printed numbers", method_cards.printed(card)),
        ("Own numbers", method_cards.own(card)),
    ):
        yield f"## {title}\n"
        if table.empty:
            yield "None.\n"
        else:
            yield from _table(list(table), table.astype(str).to_numpy().tolist())
    yield f"{method_cards.origin()}\n"
    one = _CLASSES[card.kind][card.name]
    yield "## The code\n"
    yield f"```{{eval-rst}}\n.. autoclass:: {one.__module__}.{one.__name__}\n   :no-members:\n   :no-index:\n```\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(cell.replace('|', '') for cell in cells)} |"
    yield ""
