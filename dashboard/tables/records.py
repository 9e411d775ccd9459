"""Folders of runs in, cached tables out. Records are read again only when one has changed."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.tables import study_tables
from stan import experiments, report, results
from stan.bench import store
from stan.common.servers import DEMO_ADDRESS
from stan.config import DataConfig
from stan.evaluation.statistics import Change
from stan.experiments import published
from stan.report import reproduction as printed_and_own
from stan.results import level_probes as probes
from stan.results import marks
from stan.results.record import FOREIGN, flatten


def roots() -> tuple[str, ...]:
    """Return the folders of runs: `--runs` (several allowed), else STAN_RUNS (separated like PATH), else `runs`."""
    return tuple(_arguments().runs or os.environ.get("STAN_RUNS", "runs").split(os.pathsep))


def worlds() -> Path:
    """Return the folder of rendered worlds, whose videos pages show: `--worlds`, else STAN_WORLDS, else `worlds`."""
    return Path(_arguments().worlds or os.environ.get("STAN_WORLDS", "worlds"))


def libraries() -> tuple[str, ...]:
    """Return the folders of libraries whose indexing the *Live* page shows: `--library` (several allowed)."""
    return tuple(_arguments().library)


def demo() -> str:
    """Return the demo's address for links: `--demo`, else the address that `stan demo` tries first."""
    return _arguments().demo


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="streamlit run dashboard/app.py --")
    parser.add_argument("--runs", action="append", help="folder of runs; several allowed")
    parser.add_argument("--library", action="append", default=[], help="library whose indexing is shown")
    parser.add_argument("--worlds", help="folder of rendered worlds")
    parser.add_argument("--read-only", action="store_true", help="offer nothing that writes")
    parser.add_argument("--demo", default=DEMO_ADDRESS, help="address of the demo that links lead to")
    return parser.parse_args(sys.argv[1:])


def runs() -> pd.DataFrame:
    """Return `stan.results.load` over the roots and the shipped records, with `origin`: yours, shipped or foreign.

    All callers share one table: never change it.
    """
    places, written = roots(), stamps()
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
        for place in roots()
        for study in _folders(place)
        for row in _folders(study)
        for run in _folders(row)
    ]
    archives = [
        (str(place), _changed(place)) for place in (*roots(), results.SHIPPED) if Path(place).is_file()
    ]
    # one string as the cache key, because Streamlit is slow to hash thousands of tuples
    return hashlib.sha256(repr(sorted(found + archives)).encode()).hexdigest()


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
    kept = marks.read(roots())
    found = [kept.get(run, marks.Marks()) for run in table["id"]]
    told = {
        "tags": [", ".join(one.tags) for one in found],
        "note": [one.note for one in found],
        "hidden": [one.hidden for one in found],
    }
    return pd.concat([table, pd.DataFrame(told, index=table.index)], axis=1)


def writable() -> bool:
    """Tell whether pages may change marks, views and the trash: not with `--read-only`, and not in an archive."""
    return not _arguments().read_only and not Path(roots()[0]).is_file()


def marks_of(run: str) -> marks.Marks:
    """Return the marks of the run with this id."""
    return marks.of_run(roots(), run)


def mark(run: str, **changes: Any) -> None:
    """Change a run's marks, which are kept in the first root: tags, note, hidden."""
    marks.write(roots()[0], run, replace(marks_of(run), **changes))


def columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of the table of runs that can be chosen (`study_tables.columns`)."""
    return _columns(table)[1]


def numbers(table: pd.DataFrame) -> list[str]:
    """Return those of `columns` that hold numbers."""
    return _columns(table)[2]


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={pd.DataFrame: id})
def _columns(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the table and its columns, which are cached as in `_studies`: looking for values takes long."""
    names = study_tables.columns(table)
    return table, names, [name for name in names if table[name].dtype.kind in "iuf"]


@dataclass(frozen=True)
class StudyRuns:
    """The done runs of one study on one suite at one size: either the user's own or the shipped ones, never both.

    backbone: what they are on, where it is none of the study's own; else "".
    """

    study: str
    suite: str
    size: str
    backbone: str
    shipped: bool
    runs: pd.DataFrame = field(repr=False, compare=False)

    @property
    def key(self) -> tuple:
        """Cache key, which changes when any of the records does."""
        return tuple((path, results.written(path)) for path in self.runs["path"])

    @property
    def label(self) -> str:
        parts = [self.study, self.suite, self.size, self.backbone, "shipped reference" * self.shipped]
        return " · ".join(part for part in parts if part)

    @property
    def ids(self) -> list[str]:
        return list(self.runs["id"])

    @property
    def command(self) -> str:
        return commands(self.runs)


def commands(runs: pd.DataFrame) -> str:
    """Return the command lines that made these runs, as their records tell them, each once."""
    return "; ".join(runs["command"].dropna().astype(str).unique())


def studies(table: pd.DataFrame) -> list[StudyRuns]:
    """Return every study with a done run: the user's own before the shipped ones, its own backbone before others, and
    the default size before others.
    """
    return _studies(table)[1]


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={pd.DataFrame: id})
def _studies(table: pd.DataFrame) -> tuple[pd.DataFrame, list[StudyRuns]]:
    """Return the table and its studies, cached because splitting off hundreds of studies is slow.

    The cache key is the table's `id`. Keeping the table in the cache prevents another one from getting the same id.
    """
    done = table[table["status"] == "done"]
    done = done.assign(backbone=results.other_backbone(done))
    groups = done.groupby(["shipped", "study", "suite", "backbone", "size"], sort=True)
    found = [
        StudyRuns(str(study), str(suite), str(size), str(backbone), shipped=bool(shipped), runs=part)
        for (shipped, study, suite, backbone, size), part in groups
    ]
    return table, sorted(
        found, key=lambda one: (one.shipped, one.study, one.suite, one.backbone, *default_first(one.size))
    )


def default_first(size: str) -> tuple[bool, str]:
    """Return a key that sorts the default size of the embedded world before the others."""
    return size != DataConfig.size, size


def metrics(study: StudyRuns) -> list[str]:
    """Return the metrics that every run of the study has and that can be paired by query, the headline first."""
    table = study.runs
    present = [name for name in labels.METRICS if name in table and table[name].notna().all()]
    return sorted(present, key=lambda name: name != table["headline"].iloc[0])


def rows(study: StudyRuns) -> list[str]:
    """Return the rows with a done run, in the study's own order."""
    return study_tables.ordered(study.runs["row"], known_rows(study.study))


def known_rows(study: str) -> list[str]:
    return [row.name for row in experiments.STUDIES[study].rows] if study in experiments.STUDIES else []


def baseline(study: StudyRuns) -> str:
    """Return the study's baseline row if it is done, else its first done row."""
    done = rows(study)
    wanted = experiments.STUDIES[study.study].baseline if study.study in experiments.STUDIES else ""
    return wanted if wanted in done else done[0]


def summary(study: StudyRuns, metric: str) -> pd.DataFrame:
    """Return `stan.results.summary` in the study's order; the name of a row with several configs says which one."""
    return study_tables.in_order(_summary(study.key, metric, study.runs), rows(study))


def changes(study: StudyRuns, baseline_row: str, metric: str, allow: bool = False) -> pd.DataFrame:
    """Return `stan.results.changes` in the study's order; `reason` is empty where the comparison holds."""
    return study_tables.in_order(_changes(study.key, baseline_row, metric, allow, study.runs), rows(study))


@st.cache_data(show_spinner="Drawing the intervals ...", max_entries=128)
def _summary(key: tuple, metric: str, _runs: pd.DataFrame) -> pd.DataFrame:
    return results.summary(_runs, metric)


@st.cache_data(show_spinner="Comparing query by query ...", max_entries=128)
def _changes(key: tuple, baseline_row: str, metric: str, allow: bool, _runs: pd.DataFrame) -> pd.DataFrame:
    table = results.changes(_runs, baseline_row, metric, allow)
    return table.assign(reason=table["reason"].fillna(""))


def ablation_table(
    study: StudyRuns, metric: str, summary: pd.DataFrame, changes: pd.DataFrame, every: bool
) -> pd.DataFrame:
    """Return the ablation page's table.

    every: show all printed benchmarks, not only the one that the suite mirrors.
    """
    numbers = printed(study.study)
    columns = [] if numbers is None else [column for column in labels.BENCHMARKS if column in numbers]
    mirrored = published.COLUMN_OF_SUITE.get(study.suite)
    means = study_tables.in_order(study_tables.means(study.runs, metric), rows(study)).drop(columns="hash")
    return study_tables.ablation(
        summary, changes, means, numbers, columns if every else [c for c in columns if c == mirrored]
    )


def seen_unseen(study: StudyRuns, metric: str) -> pd.DataFrame:
    return study_tables.in_order(study_tables.seen_unseen(study.runs, metric), rows(study))


def orders(study: StudyRuns) -> pd.DataFrame:
    """Return order accuracy by row with its interval; empty if the suite has no twins."""
    return summary(study, "order.accuracy")


def seeds(study: StudyRuns, metric: str) -> pd.DataFrame:
    """Return row, hash, seed and value (the metric) of every run of the study."""
    return study_tables.in_order(
        study.runs[["row", "hash", "seed"]].assign(value=study.runs[metric]), rows(study)
    )


def won_lost(study: StudyRuns, baseline_row: str, row: str, metric: str) -> pd.DataFrame:
    """Return query, before, after (percent of seeds that answer right) and gain, the largest gain first.

    before: with `baseline_row`; after: with `row`.
    """
    before, after = (_per_query(study, name, metric) for name in (baseline_row, row))
    return study_tables.gains(before, after)


def _per_query(study: StudyRuns, row: str, metric: str) -> list[pd.Series]:
    answers = (results.per_query(path, metric) for path in study.runs.loc[study.runs["row"] == row, "path"])
    return [pd.Series(values, index=ids) for ids, values in answers]


def change(pair: pd.DataFrame) -> Change:
    """Return the paired change of the headline metric between two runs. Raises ValueError if their queries differ."""
    first, second = pair.iloc[:1], pair.iloc[1:]
    return results.change_between(first, second, str(pair["headline"].iloc[0]), allow=True)


def order_kinds(study: StudyRuns) -> pd.DataFrame:
    """Return order accuracy by row and kind of motion, for runs that record the kinds of their twins."""
    by_row = {row: study.runs.loc[study.runs["row"] == row, "path"] for row in rows(study)}
    return study_tables.order_kinds(
        {row: [results.ranks(path) for path in paths] for row, paths in by_row.items()}
    )


def printed(study: str) -> pd.DataFrame | None:
    """Return the paper's numbers by row, with component ticks and one column per benchmark; None if none is printed."""
    if study not in experiments.STUDIES:
        return None
    return study_tables.printed_beside(experiments.STUDIES[study].rows, report.components(study))


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


@st.cache_data(show_spinner=False)
def published_tables() -> dict[str, pd.DataFrame]:
    return published.tables()


def ledger(counted: bool = False) -> list[dict[str, Any]]:
    """Return `stan.report.reproduction.ledger` of the user's own runs; counted: count STAN's cost on the model."""
    return _ledger(stamps(), counted, runs())


@st.cache_data(show_spinner="Looking for runs that answer print ...", max_entries=4)
def _ledger(key: str, counted: bool, _runs: pd.DataFrame) -> list[dict[str, Any]]:
    return printed_and_own.ledger(_runs[~_runs["shipped"]], _gmacs if counted else None)


def _gmacs(preset: str, frames: int, views: int) -> float:
    from stan.bench.flops import cost

    return cost(preset, frames, views)["gmacs_linear"]


def costs(study: StudyRuns, metric: str) -> pd.DataFrame:
    """Return `stan.report.costs` in the study's order."""
    return study_tables.in_order(_costs(study.key, metric, study.runs), rows(study))


@st.cache_data(show_spinner="Counting on the models ...", max_entries=32)
def _costs(key: tuple, metric: str, _runs: pd.DataFrame) -> pd.DataFrame:
    return report.costs(_runs, metric)


def probed(studies: Sequence[StudyRuns]) -> list[StudyRuns]:
    """Return the studies in which at least one run has a time probe in its folder."""
    folders = {str(folder) for place in (*roots(), results.SHIPPED) for folder in results.probed(place)}
    return [study for study in studies if study.runs["path"].isin(folders).any()]


def benches() -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return `stan.bench.store.load` over the roots and the results that come with the package."""
    return store.load((*roots(), store.SHIPPED))


def level_probes() -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return `stan.results.level_probes.load` over the roots and the records that come with the package."""
    return probes.load((*roots(), probes.SHIPPED))


def time_probes(study: StudyRuns) -> pd.DataFrame:
    """Return `stan.report.time_probes`. It is not cached, because a probe is written long after its run is done."""
    return report.time_probes(study.runs)
