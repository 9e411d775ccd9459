"""Kept probes of CLIPs in; a page out with what each level holds, and what each suite of the world needs of it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import probe_charts, study_charts
from dashboard.components import data_grid, downloads, url_widgets
from dashboard.tables import arguments, records
from stan.evaluation.probe_targets import NEEDS

TITLE = "Levels"


def show() -> None:
    st.title(TITLE)
    st.caption(
        "What each level of a CLIP holds, as probes on drawn stills read it off: 0 is what guessing gives, 1 is "
        "without error. A branch that reads several levels gains only where low levels hold what high ones have "
        "forgotten."
    )
    found, damaged = records.level_probes()
    if damaged:
        st.warning("Not read, because these files are damaged:")
        data_grid.show(pd.DataFrame(damaged), key="damaged")
    st.code(
        f"stan probe-levels --backbone NAME --pretrained TAG --save {arguments.roots()[0]}", language="bash"
    )
    if not found:
        st.info(
            "No CLIP was probed yet: the command above does it, and keeps the result where this page finds it."
        )
        return
    names = {_name(record): record for record in reversed(found)}  # of equal names, the latest
    record = names[url_widgets.one("CLIP", list(reversed(names)), "clip")]
    suite = url_widgets.one("Needed by", ["all", *NEEDS], "suite")
    rows = pd.DataFrame(record["rows"])
    shown = rows if suite == "all" else rows[rows["target"].isin(NEEDS[suite])]
    for number, (probe, table) in enumerate(shown.groupby("probe", sort=False)):
        st.subheader(labels.plain(str(probe)))
        st.plotly_chart(probe_charts.by_level(table), key=f"probe {number}", config=study_charts.CONFIG)
    st.caption(
        f"{record.get('stills')} stills of each kind, half of them to fit a probe. *front*: which of two shapes covers "
        "the other; *phase*: where in their period stripes start; *turn*: an arrow's angle."
    )
    command = str(record.get("command", "stan probe-levels"))
    downloads.table("levels", rows, [_name(record)], command)


def _name(record: dict) -> str:
    weights = record.get("pretrained")
    return str(record["backbone"]) if weights is None else f"{record['backbone']}/{weights}"
