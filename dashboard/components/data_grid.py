"""A table in, the same table on the page out: one decimal, whole counts, ticks, a dash for what isn't there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import labels

_COUNTS = ("seeds", "seed", "GFLOPs", "frames", "epoch", "N", "lost", "queries", "step")
_WIDE = {"95 %": 110, "change": 160}
"""Pixels of texts that a browser would cut off where most of their column is empty: it fits a column to the mean."""


def show(
    table: pd.DataFrame,
    key: str,
    decimals: str = "%.1f",
    pinned: str | None = None,
    pinned_width: int | None = None,
    links: Mapping[str, str] | None = None,
    curves: Sequence[str] = (),
    **options: Any,
) -> Any:
    """`st.dataframe` with this suite's formats; returns its event where `options` ask for one.

    links: words to show instead of the addresses in a column, which stays in sight at the left. curves: columns of
    lists, drawn as small lines.
    """
    config = {column: _column(column, decimals) for column in table.select_dtypes("number")}
    config |= {name: _tick(name) for name in labels.COMPONENTS.values() if name in table}
    config |= {
        name: st.column_config.TextColumn(width=width) for name, width in _WIDE.items() if name in table
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


def _column(name: str, decimals: str):
    if name.startswith(("data.", "model.", "train.")):
        return st.column_config.NumberColumn(format="%g")
    whole = name.rpartition(".")[2] in _COUNTS
    return st.column_config.NumberColumn(format="%.0f" if whole else decimals)


def _tick(name: str):
    """Narrow, so that numbers have room: cross-frame is headed `cross`, multi-level `multi`."""
    return st.column_config.CheckboxColumn(name.partition("-")[0], help=name)
