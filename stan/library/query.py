"""The text of a query in, its weighted terms out, for example `2:a red circle + moving up - striped`.

A plus or minus with space on both sides separates terms, so hyphens stay within words. A number and a colon before a
term set its weight, which is 1 otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stan.common.json_values import require

LARGEST_GAIN = 100.0
"""The most by which a search may weigh the branch. Far beyond it, fp32 cannot hold the scores."""

_SIGN = re.compile(r"(?:^|(?<=\s))([+-])(?=\s|$)")
_WEIGHT = re.compile(r"(\d+\.?\d*|\.\d+)\s*:(?!\d)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Term:
    text: str
    weight: float
    """Negative for what should not be seen."""


def parse(query: str) -> list[Term]:
    """Return the terms in order.

    Raises ValueError for what is no text, an empty query or term, and a weight of 0 or of 1000 and more.
    """
    require("the query", query, "str")
    if not query.strip():
        raise ValueError("the query is empty: describe what should be seen")
    first, *rest = _SIGN.split(query)
    signs, texts = ["+", *rest[::2]], [first, *rest[1::2]]
    if not first.strip():  # the query begins with a sign
        signs, texts = signs[1:], texts[1:]
    return [_term(sign, text.strip(), query) for sign, text in zip(signs, texts, strict=True)]


def _term(sign: str, text: str, query: str) -> Term:
    weighed = _WEIGHT.fullmatch(text)
    weight, text = (float(weighed[1]), weighed[2]) if weighed else (1.0, text)
    if not text:
        raise ValueError(
            f"the query {query!r} has a term without words: write `2:one thing + another - a third`, and no sign"
            " at the end"
        )
    if not 0 < weight < 1000:
        raise ValueError(
            f"the query {query!r} weighs {text!r} by {weight:g}: take a number between 0 and 1000"
        )
    return Term(text, weight if sign == "+" else -weight)
