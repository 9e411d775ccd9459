"""A table in, the formatted table on the page out: one decimal, whole counts, ticks, dashes for missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import labels
from stan import results
from stan.evaluation.definitions import definition

_COUNTS = ("seeds", "seed", "runs", "configs", "GFLOPs", "frames", "epoch", "N", "lost", "queries", "step")
_WIDE = {"95 %": 110, "change": 160, "difference, 95 %": 120}
"""Widths, in pixels, of text columns that may be mostly empty. A browser fits a column to its mean text length and
would cut their texts off."""


def show(
    table: pd.DataFrame,
    key: str,
    decimals: str = "%.1f",
    pinned: str | None = None,
    pinned_width: int | None = None,
    links: Mapping[str, str] | None = None,
    curves: Sequence[str] = (),
    exact: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Show `table` with `st.dataframe` in this suite's formats; return its event if `options` ask for one.

    links: by column of addresses, the words to show instead of them; such a column is pinned at the left.
    curves: columns of lists, drawn as small line charts. exact: columns of numbers shown to four digits. The header of
    a metric tells on hover what it measures.
    """
    config = columns(table, decimals, exact)
    config |= {name: _tick(name) for name in labels.COMPONENTS.values() if name in table}
    config |= {
        name: st.column_config.TextColumn(width=width)
        for name, width in _WIDE.items()
        if name in table and name not in config
    }
    config |= {
        name: st.column_config.LinkColumn(display_text=text, pinned=True)
        for name, text in (links or {}).items()
    }
    config |= {name: st.column_config.LineChartColumn() for name in curves}
    if pinned:
        config[pinned] = st.column_config.TextColumn(pinned, pinned=True, width=pinned_width)
    options = {"height": "content"} | options
    return st.dataframe(table, hide_index=True, column_config=config, key=key, placeholder="–", **options)


def height(table: pd.DataFrame) -> int:
    """Return a height, in pixels, that fits all of the table's lines, or ten of them."""
    return min(430, 75 + 35 * len(table))


def columns(table: pd.DataFrame, decimals: str = "%.1f", exact: Sequence[str] = ()) -> dict[str, Any]:
    """Return the formats of a table's columns of numbers, as `show` has them."""
    return {
        name: st.column_config.NumberColumn(
            format="%.4g" if name in exact else _format(name, table[name].dtype.kind, decimals),
            help=definition(name),
        )
        for name in table.select_dtypes("number")
    }


def _format(name: str, kind: str, decimals: str) -> str:
    """Return the format of a column; kind: of its dtype, as a count is no longer an integer where one is missing."""
    if results.is_setting(name):
        return "%g"
    if name == "difference":
        return "%+.1f"
    return "%.0f" if kind in "iu" or name.rpartition(".")[2] in _COUNTS else decimals


def _tick(name: str):
    """Return a narrow checkbox column, which leaves room for numbers: its header for `cross-frame` is `cross`."""
    return st.column_config.CheckboxColumn(name.partition("-")[0], help=name)
