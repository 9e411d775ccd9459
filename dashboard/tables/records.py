"""Folders of runs in, cached tables out. Records are read again only when one has changed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.tables import arguments, study_tables
from stan import results
from stan.bench import store
from stan.evaluation.statistics import Change
from stan.results import level_probes as probes
from stan.results import marks
from stan.results.record import FOREIGN, flatten


def runs() -> pd.DataFrame:
    """Return `stan.results.load` over the roots and the shipped records, with `origin`: yours, shipped or foreign.

    All callers share one table: never change it.
    """
    places, written = arguments.roots(), stamps()
    found = _runs(places, written, ())
    running = found.loc[found["status"] == "running", "path"]
    ended = tuple(path for path in running if results.read(path)["status"] != "running")
    return _runs(places, written, ended) if ended else found


def stamps() -> str:
    """Return a hash that changes whenever a run's folder does.

    The files of a record are always replaced as a whole, which changes the folder's modification time.
    """
    found = [
        (run.path, _changed(run))
        for place in arguments.roots()
        for study in _folders(place)
        for row in _folders(study)
        for run in _folders(row)
    ]
    archives = [
        (str(place), _changed(place))
        for place in (*arguments.roots(), results.SHIPPED)
        if Path(place).is_file()
    ]
    # one string as the cache key, because Streamlit is slow to hash thousands of tuples
    return hashlib.sha256(repr(sorted(found + archives)).encode()).hexdigest()


def key(runs: pd.DataFrame) -> tuple:
    """Return a cache key that changes when any of these records does."""
    return tuple((path, results.written(path)) for path in runs["path"])


def _changed(place: os.DirEntry[str] | str | Path) -> int:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:  # deleted in the meantime
        return 0


def _folders(place: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            return [entry for entry in entries if entry.is_dir()]
    except OSError:  # not there, or deleted in the meantime
        return []


@st.cache_resource(show_spinner="Reading the records ...", max_entries=2)
def _runs(places: tuple[str, ...], stamps: str, ended: tuple[str, ...]) -> pd.DataFrame:
    """Return the table of runs with `shipped` and `origin`.

    ended: paths of runs that no longer run although the cached table says so. They are part of the cache key because a
    killed process changes no file.
    """
    table = results.load(places, shipped=True)
    shipped = table["shipped"].astype(bool)
    origin = np.select([shipped, table["status"] == FOREIGN], ["shipped", "foreign"], "yours")
    return pd.concat([table.assign(shipped=shipped), pd.Series(origin, table.index, name="origin")], axis=1)


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of runs with the reader's own `tags` (one text), `note` and `hidden`."""
    kept = marks.read(arguments.roots())
    found = [kept.get(run, marks.Marks()) for run in table["id"]]
    told = {
        "tags": [", ".join(one.tags) for one in found],
        "note": [one.note for one in found],
        "hidden": [one.hidden for one in found],
    }
    return pd.concat([table, pd.DataFrame(told, index=table.index)], axis=1)


def named(table: pd.DataFrame, part: str) -> pd.Series:
    """Tell which runs have `part` in their id, suite or, in a table from `marked`, tags; case doesn't matter."""
    others = [table[name].fillna("").astype(str) for name in ("suite", "tags") if name in table]
    return table["id"].str.cat(others, sep=" ").str.contains(part.strip(), case=False, regex=False)


def marks_of(run: str) -> marks.Marks:
    """Return the marks of the run with this id."""
    return marks.of_run(arguments.roots(), run)


def mark(run: str, **changes: Any) -> None:
    """Change a run's marks, which are kept in the first root: tags, note, hidden."""
    marks.write(arguments.roots()[0], run, replace(marks_of(run), **changes))


def columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of the table of runs that can be chosen (`study_tables.columns`)."""
    return _columns(table)[1]


def numbers(table: pd.DataFrame) -> list[str]:
    """Return those of `columns` that hold numbers."""
    return _columns(table)[2]


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={pd.DataFrame: id})
def _columns(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the table and its columns, cached because looking for values takes long.

    The cache key is the table's `id`. Keeping the table in the cache prevents another one from getting the same id.
    """
    names = study_tables.columns(table)
    return table, names, [name for name in names if table[name].dtype.kind in "iuf"]


def commands(runs: pd.DataFrame) -> str:
    """Return the command lines that made these runs, as their records tell them, each once."""
    return "; ".join(runs["command"].dropna().astype(str).unique())


def change(pair: pd.DataFrame) -> Change:
    """Return the paired change of the headline metric between two runs. Raises ValueError if their queries differ."""
    first, second = pair.iloc[:1], pair.iloc[1:]
    return results.change_between(first, second, str(pair["headline"].iloc[0]), allow=True)


@dataclass(frozen=True)
class Record:
    """The documents of one run, as its page shows them."""

    run: dict[str, Any]
    provenance: dict[str, Any]
    config: dict[str, Any]
    evaluation: dict[str, Any]
    metrics: pd.DataFrame
    steps: pd.DataFrame
    validation: pd.DataFrame
    headline: str


def record(path: str) -> Record:
    """Return the record of a run. It is read anew on each call, since the log of a running run grows."""
    found = results.read(path)
    evaluation = found["evaluation"]
    headline = str(evaluation.get("headline") or "")
    steps, validation, headline = study_tables.curves(results.history(path), headline)
    return Record(
        run=found["run"],
        provenance={name: value for name, value in flatten(found["run"]).items() if name != "command"},
        config=flatten(found["config"]),
        evaluation=evaluation,
        metrics=study_tables.metrics(
            flatten(evaluation.get("metrics", {})), flatten(evaluation.get("last") or {})
        ),
        steps=steps,
        validation=validation,
        headline=headline,
    )


def executed_notebooks(path: str) -> list[Path]:
    """Return the notebooks in a run's folder and their HTML; links that lead out of the folder are left out."""
    folder = Path(path).resolve()
    if not folder.is_dir():  # runs in an archive have no notebooks
        return []
    files = (page for page in sorted(folder.iterdir()) if page.suffix in (".html", ".ipynb"))
    return [page for page in files if page.resolve().parent == folder]


def benches() -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return `stan.bench.store.load` over the roots and the results that come with the package."""
    return store.load((*arguments.roots(), store.SHIPPED))


def level_probes() -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return `stan.results.level_probes.load` over the roots and the records that come with the package."""
    return probes.load((*arguments.roots(), probes.SHIPPED))
