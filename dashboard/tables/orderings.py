"""The table of runs in; the registered orderings as one origin's runs of a size on a backbone decide them out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.tables import records, studies
from stan.experiments.orderings import registered
from stan.results.orderings import orderings


def places() -> list[tuple[str, str, str]]:
    """Return (origin, size, backbone) of the done runs on suites that the registered orderings are about.

    The sizes of a backbone stand together, the default one first.
    """
    table = records.runs()
    suites = {suite for one in registered().orderings for suite in one.suites}
    table = table[(table["status"] == "done") & table["suite"].isin(suites)]
    if table.empty:
        return []
    found = set(table[["origin", "size", "model.backbone"]].itertuples(index=False, name=None))
    return sorted(found, key=lambda place: (place[0], place[2], *studies.default_first(place[1])))


def of_place(place: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return the registered orderings as the runs of a place decide them.

    Raises ValueError as `stan.results.orderings.orderings` does.
    """
    table = records.runs()
    of_place = (table[["origin", "size", "model.backbone"]] == place).all(axis=1)
    runs = table[of_place & (table["status"] == "done")]
    return _decided(place, records.key(runs), runs)


@st.cache_data(show_spinner="Comparing query by query ...", max_entries=8)
def _decided(place: tuple[str, str, str], key: tuple, _runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Compare, which takes seconds, only when one of these runs has changed, not with every step of a training run."""
    return orderings(_runs, *place[1:])
