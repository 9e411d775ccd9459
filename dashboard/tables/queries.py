"""A run's queries in; the lost ones, their groups and the videos they describe out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.tables import arguments, studies
from stan import results
from stan.data.world import writer as world
from stan.report import lost_queries

GROUPS = {
    "motion": "motion",
    "objects": "object",
    "order": "order (twin)",
    "count": "number of objects",
    "seen": "seen in training",
    "right": "right answer",
}
"""Columns by which lost queries can be grouped, with their names on the page."""

MOST = 40
"""Maximum number of groups in one figure."""


def of_run(path: str) -> pd.DataFrame:
    """Return `stan.report.lost_queries.queries` of a run. Raises ValueError if the record's ranks can't be used."""
    return _of_run(path, results.written(path, "ranks.npz"))


@st.cache_data(show_spinner="Reading what was answered ...", max_entries=16)
def _of_run(path: str, written: int) -> pd.DataFrame:
    return lost_queries.queries(path)


def groupings(table: pd.DataFrame) -> list[str]:
    """Return the keys of GROUPS that have more than one value among this run's queries."""
    return [name for name in GROUPS if table[name].notna().any() and table[name].astype(str).nunique() > 1]


def values(table: pd.DataFrame, by: str) -> list[str]:
    """Return, as text, the groups with at least one lost query, those with most lost queries first."""
    counted = lost_queries.groups(table, by)
    return [str(value) for value in counted.loc[counted["lost"] > 0, "group"]]


def lost(table: pd.DataFrame, by: str, value: str | None, demo: str) -> pd.DataFrame:
    """Return the lost queries, the worst rank first; value: keep only those of this group, None for all.

    Columns: query, text, right, rank, order, "1" to "5" (the first answers, if they are recorded), and demo: the link
    that searches for the same words in the demo at the address `demo`.
    """
    chosen = table[table["lost"]]
    if value is not None:
        chosen = chosen[[value in _texts(told) for told in chosen[by]]]
    shown = chosen[["query", "text", "right", "rank", "order"]].sort_values(
        "rank", ascending=False, kind="stable"
    )
    for place in range(max(map(len, chosen["answers"]), default=0)):
        shown[str(place + 1)] = chosen["answers"].map(
            lambda answers, place=place: answers[place] if place < len(answers) else None
        )
    return shown.assign(
        demo=[f"{demo}/?q={quote(text, safe='')}" for text in shown["text"].fillna(shown["query"])]
    )


def moved(study: studies.StudyRuns, baseline: str, row: str, metric: str) -> pd.DataFrame:
    """Return `studies.won_lost` for the queries that were won or lost, with their texts."""
    table = studies.won_lost(study, baseline, row, metric)
    table = table[table["gain"] != 0].reset_index(drop=True)
    told = of_run(_first_run(study, row)).set_index("query")["text"]
    texts = table["query"].map(told)
    return table.assign(text=texts) if texts.notna().any() else table


def videos(study: studies.StudyRuns, query: str, rows: Sequence[str]) -> list[tuple[str, Path]]:
    """Return (description, file) of the query's own video, its time-reversed twin and each row's first answer.

    First answers are those of the row's first seed, if it recorded them. Only existing files of the rendered world
    are returned; its plan is used to look them up.
    """
    plans = lost_queries.plans_by_id(study.suite, study.size, _world_seed(study))
    own = plans.get(query.partition("#")[0])
    if own is None:
        return []
    wanted = [("right", own.id), ("its twin, reversed in time", own.twin)]
    wanted += [(f"{row} answers", _answer(study, row, query)) for row in rows]
    files = ((name, _file(study, video)) for name, video in wanted if video in plans)
    return [(name, file) for name, file in files if file.is_file()]


def _answer(study: studies.StudyRuns, row: str, query: str) -> str | None:
    """Return the id of the video that the row's first seed ranks first; None if the record doesn't tell."""
    try:
        arrays = results.ranks(_first_run(study, row))
        place = int(np.flatnonzero(arrays["query_ids"] == query)[0])
        return str(arrays["video_ids"][arrays["answers"][place][0]])
    except (KeyError, IndexError, ValueError):
        return None


def _first_run(study: studies.StudyRuns, row: str) -> str:
    return str(study.runs[study.runs["row"] == row].sort_values("seed")["path"].iloc[0])


def _file(study: studies.StudyRuns, video: str) -> Path:
    folder = arguments.worlds() / world.name(study.suite, study.size, _world_seed(study))
    return folder / "videos" / "test" / f"{video}.mp4"


def _world_seed(study: studies.StudyRuns) -> int:
    return int(study.runs["data.world_seed"].iloc[0])


def _texts(told: object) -> tuple[str, ...]:
    return tuple(map(str, told)) if isinstance(told, tuple) else (str(told),)
