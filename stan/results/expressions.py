"""Arithmetic over the columns of the table of runs, as text, in; the columns that it defines out.

The text is parsed and walked, never executed: it holds names of columns, numbers, + - * /, parentheses, and min, max
and abs. Anything else is refused by name.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

LONGEST = 200
"""Most characters of one expression, which also bounds how deep it can nest."""

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SIGNS: Mapping[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS = {"min": np.minimum, "max": np.maximum}
_NAMED = re.compile(r"\s*([^`=]+?)\s*=(?!=)(.*)", re.DOTALL)
_QUOTED = re.compile(r"`([^`]*)`")


def with_columns(
    table: pd.DataFrame, text: str, taken: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with the columns that `text` defines, and their names.

    text: expressions between semicolons, each after a name and `=` if it shall have one:
    "gap = `seen.t2v.R@1` - `unseen.t2v.R@1`; seconds / 60". A column's name stands in backticks, which a plain one such
    as train.lr can do without. Where a value is missing, or a result isn't finite, the cell is empty.
    Raises ValueError naming what isn't allowed, what isn't known and what holds no numbers.
    """
    made: dict[str, pd.Series] = {}
    for part in filter(str.strip, text.split(";")):
        named = _NAMED.fullmatch(part)
        name, expression = (named[1], named[2]) if named else (part.strip().replace("`", ""), part)
        if name in table or name in made or name in taken:
            raise ValueError(f"there is a column {name} already: give {part.strip()} another name")
        made[name] = evaluate(table, expression)
    return (table.assign(**made) if made else table), list(made)


def evaluate(columns: pd.DataFrame, expression: str) -> pd.Series:
    """Return one expression's values, as floats. Raises ValueError as `with_columns` does."""
    shown = expression.strip()
    if len(shown) > LONGEST:
        raise ValueError(f"an expression has up to {LONGEST} characters; this one has {len(shown)}")
    try:
        tree = ast.parse(_QUOTED.sub(lambda quoted: repr(quoted[1]), shown), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{shown} is no arithmetic over columns: {error.args[0]}") from None
    with np.errstate(all="ignore"):
        values = _value(tree.body, columns)
    return pd.Series(np.where(np.isfinite(values), values, np.nan), columns.index, dtype=float)


def _value(node: ast.expr, columns: pd.DataFrame) -> np.ndarray | np.float64:
    match node:
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Constant(value=str() as name):
            return _column(columns, name)
        case ast.Name() | ast.Attribute():
            return _column(columns, ast.unparse(node))
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](_value(node.left, columns), _value(node.right, columns))
        case ast.UnaryOp() if type(node.op) in _SIGNS:
            return _SIGNS[type(node.op)](_value(node.operand, columns))
        case ast.Call(func=ast.Name(id="abs"), args=[inner], keywords=[]):
            return np.abs(_value(inner, columns))
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[first, *rest], keywords=[]) if rest:
            found = _value(first, columns)
            for other in rest:
                found = _FUNCTIONS[name](found, _value(other, columns))
            return found
    raise ValueError(
        f"{ast.unparse(node)} isn't allowed: an expression holds names of columns (in backticks: `t2v.R@1`), numbers, "
        "+ - * /, parentheses, min, max and abs"
    )


def _column(columns: pd.DataFrame, name: str) -> np.ndarray:
    if name not in columns:
        raise ValueError(f"no column {name}: names with signs in them stand in backticks, as in `t2v.R@1`")
    try:
        return pd.to_numeric(columns[name]).astype(float).to_numpy()
    except (ValueError, TypeError):
        raise ValueError(f"the column {name} holds no numbers") from None
