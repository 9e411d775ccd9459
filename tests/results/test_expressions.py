"""Arithmetic over columns: what it computes, and that nothing else is ever run."""

import numpy as np
import pandas as pd
import pytest

from stan.results.expressions import LONGEST, evaluate, with_columns

TABLE = pd.DataFrame(
    {
        "t2v.R@1": [40.0, np.nan, 50.0],
        "seconds": [60.0, 120.0, 0.0],
        "train.lr": [1e-3, 1e-3, 2e-3],
        "seed": np.array([0, 1, None], dtype=object),
        "shipped": [True, False, True],
        "status": ["done", "died", "done"],
        "O'Brien \\ \"": [1.0, 2.0, 3.0],
    },
    index=[7, 3, 5],
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("`t2v.R@1` - 10", [30, np.nan, 40]),
        ("seconds / 60", [1, 2, 0]),
        ("60 / seconds", [1, 0.5, np.nan]),
        ("-train.lr * 1e3 + +1", [0, 0, -1]),
        ("2 * (seconds - 60) * 2", [0, 240, -240]),
        ("max(`t2v.R@1`, seconds, 55)", [60, np.nan, 55]),
        ("min(seconds, 70) - abs(0 - 5)", [55, 65, -5]),
        ("seed + shipped", [1, 1, np.nan]),
        ("1 / 0", [np.nan] * 3),
        ("3", [3, 3, 3]),
        ("`O'Brien \\ \"`", [1, 2, 3]),
    ],
)
def test_arithmetic_over_columns(text, values):
    found = evaluate(TABLE, text)
    np.testing.assert_allclose(found, values)
    assert found.index.tolist() == [7, 3, 5]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "seconds.__class__.__mro__",
        "().__class__",
        "seconds ** 9",
        "seconds // 2",
        "t2v.R@1",
        "[seconds for seconds in seconds]",
        "(lambda: 1)()",
        "abs(seconds, 1)",
        "min(seconds)",
        "max(*seconds)",
        "max(seconds, key=1)",
        "open('x')",
        "seconds if True else 1",
        "seconds < 3",
        "not seconds",
        "True",
        "None + 1",
        "1j",
        "b'x'",
        "...",
        "f'{seconds}'",
        "(x := 1)",
        "seconds[0]",
    ],
)
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(ValueError, match="isn't allowed|no column|is no arithmetic"):
        evaluate(TABLE, text)


@pytest.mark.parametrize("text", ["", "1 +", "import os", "\0", "(" * 150 + ")" * 150, "a; b", "x\ny"])
def test_what_is_no_expression_is_one_clear_error(text):
    with pytest.raises(ValueError, match="no arithmetic over columns|characters"):
        evaluate(TABLE, text)


def test_the_deepest_expression_is_computed():
    assert evaluate(TABLE, "-" * (LONGEST - 1) + "1").tolist() == [-1.0] * 3
    with pytest.raises(ValueError, match="201 characters|up to 200"):
        evaluate(TABLE, "1" * (LONGEST + 1))


def test_text_and_unknown_columns_are_named():
    with pytest.raises(ValueError, match="column status holds no numbers"):
        evaluate(TABLE, "status + 1")
    with pytest.raises(ValueError, match="no column lr"):
        evaluate(TABLE, "lr + 1")


def test_columns_have_the_names_they_are_given():
    table, names = with_columns(TABLE, "minutes = seconds / 60; `t2v.R@1` - 1;")
    assert names == ["minutes", "t2v.R@1 - 1"]
    assert table["minutes"].tolist() == [1, 2, 0] and "minutes" not in TABLE
    assert with_columns(TABLE, "  ")[1] == []
    with pytest.raises(ValueError, match="a column seconds already"):
        with_columns(TABLE, "seconds = seconds / 60")
    with pytest.raises(ValueError, match="a column mean already"):
        with_columns(TABLE, "mean = seconds / 60", taken={"mean"})
    with pytest.raises(ValueError, match="isn't allowed|no arithmetic"):
        with_columns(TABLE, "seconds == 60")
