"""Saved results of `stan bench` in; a page out: times side by side, the machine of each, and growth over sizes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import bench_charts, study_charts
from dashboard.components import data_grid, url_widgets
from dashboard.tables import arguments, speed
from dashboard.tables import records as data
from stan.bench.store import BENCHES

TITLE = "Speed"

_TITLES = {
    "encode": "Encoding videos",
    "train": "A training step",
    "decode": "Reading videos",
    "search": "Exact search",
    "dashboard": "This dashboard",
    "towers": "Image towers of every family",
    "service": "Search through the service",
}


def show() -> None:
    st.title(TITLE)
    st.caption(
        "Results of `stan bench`, each with the machine that it was measured on: the median of several repeats, and as "
        "*spread* the distance of their quartiles. Compare rows of one table, not tables of different machines."
    )
    records, damaged = data.benches()
    if damaged:
        st.warning("Not read, because these files are damaged:")
        data_grid.show(pd.DataFrame(damaged), key="damaged")
    for bench in BENCHES:
        st.subheader(_TITLES[bench])
        _bench(bench, [record for record in records if record["bench"] == bench])


def _bench(bench: str, records: Sequence[speed.Record]) -> None:
    if not records:
        st.info(
            "No result is kept yet. On a machine that does nothing else meanwhile, this measures and keeps one:"
        )
        st.code(f"stan bench {bench} --save {arguments.roots()[0]}", language="bash")
        return
    names = [_name(record) for record in records]
    record = records[names.index(url_widgets.one("Measured", names, bench))]
    st.caption(_where(record))
    data_grid.show(speed.times(record), key=f"{bench} times", decimals="%.4g", pinned="name")
    held = speed.memory(record)
    if not held.empty:
        st.caption("MB that a step holds when backward begins")
        data_grid.show(held, key=f"{bench} memory", decimals="%.4g")
    growth = speed.growth(record)
    if not growth.empty:
        figure = bench_charts.growth_over_size(growth, speed.GROWTH[bench][0])
        st.plotly_chart(figure, key=f"{bench} growth", config=study_charts.CONFIG)


def _name(record: speed.Record) -> str:
    return f"{record['date']}, {record.get('device')}, {record.get('machine')}"


def _where(record: speed.Record) -> str:
    told = ("machine", "device", "threads", "precision", "commit", "command")
    said = [f"{name} {labels.plain(record.get(name))}" for name in told]
    return "; ".join(said) + (", with changes that are not committed." if record.get("dirty") else ".")
