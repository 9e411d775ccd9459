"""A typed query means what its grammar says."""

from __future__ import annotations

import pytest

from stan.library.query import Term, parse


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("a red circle", [("a red circle", 1)]),
        (
            "2:a red circle + moving up - striped",
            [("a red circle", 2), ("moving up", 1), ("striped", -1)],
        ),
        ("a black-and-white film - slow-motion", [("a black-and-white film", 1), ("slow-motion", -1)]),
        ("a cat -dog +mouse c++", [("a cat -dog +mouse c++", 1)]),
        ("  .5 : fog\t-  1.5:rain ", [("fog", 0.5), ("rain", -1.5)]),
        ("- striped", [("striped", -1)]),
        ("+ a cat", [("a cat", 1)]),
        ("12:30 on a clock", [("12:30 on a clock", 1)]),
        ("scene: a kitchen", [("scene: a kitchen", 1)]),
    ],
)
def test_terms(query, terms):
    assert parse(query) == [Term(text, weight) for text, weight in terms]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (3, "the query is 3; it must be text"),
        ("\udcff", r"the query is '\\udcff'; it must be text"),
        ("   ", "empty"),
        ("a cat +", "a term without words"),
        ("a cat + - a dog", "a term without words"),
        ("-", "a term without words"),
        ("2:", "a term without words"),
        ("a cat - 0:a dog", "weighs 'a dog' by 0"),
        ("1000:a cat", "between 0 and 1000"),
    ],
)
def test_what_cannot_be_read_is_refused(query, says):
    with pytest.raises(ValueError, match=says):
        parse(query)
