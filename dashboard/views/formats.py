"""A table in, how Streamlit shows its columns out: one decimal, whole counts, ticks."""

from __future__ import annotations

import pandas as pd
import streamlit as st


def table(
    shown: pd.DataFrame, decimals: str = "%.1f", pinned: str | None = None, whole: tuple[str, ...] = ()
) -> dict:
    """Column configuration for `st.dataframe`; `whole`: columns of counts."""
    config = {
        column: st.column_config.NumberColumn(format="%.0f" if column in whole else decimals)
        for column in shown.columns
        if pd.api.types.is_float_dtype(shown[column])
    }
    if pinned:
        config[pinned] = st.column_config.TextColumn(pinned, pinned=True)
    return config
