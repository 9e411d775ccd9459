"""Folders of runs in; cached tables out, read again only when a record has changed."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.tables import notes, study_tables
from stan import experiments, report, results
from stan.bench import store
from stan.common.servers import DEMO_ADDRESS
from stan.evaluation.statistics import Change
from stan.experiments import published
from stan.report import reproduction as printed_and_own
from stan.results.record import flatten


def roots() -> tuple[str, ...]:
    """Folders named by `--runs` (several allowed), else by STAN_RUNS (separated like PATH), else `runs`."""
    return tuple(_arguments().runs or os.environ.get("STAN_RUNS", "runs").split(os.pathsep))


def worlds() -> Path:
    """Folder of rendered worlds, whose videos pages show: `--worlds`, else STAN_WORLDS, else `worlds`."""
    return Path(_arguments().worlds or os.environ.get("STAN_WORLDS", "worlds"))


def libraries() -> tuple[str, ...]:
    """Folders of libraries whose indexing *Live* shows: `--library` (several allowed)."""
    return tuple(_arguments().library)


def demo() -> str:
    """Address of the demo that links lead to: `--demo`, else where `stan demo` serves it first."""
    return _arguments().demo


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="streamlit run dashboard/app.py --")
    parser.add_argument("--runs", action="append", help="folder of runs; several allowed")
    parser.add_argument("--library", action="append", default=[], help="library whose indexing is shown")
    parser.add_argument("--worlds", help="folder of rendered worlds")
    parser.add_argument("--demo", default=DEMO_ADDRESS, help="address of the demo that links lead to")
    return parser.parse_args(sys.argv[1:])


def runs() -> pd.DataFrame:
    """`stan.results.load` over the roots and the shipped records, with `origin`: `yours` or `shipped`.

    One table for all who ask: never change it.
    """
    places, written = roots(), stamps()
    found = _runs(places, written, ())
    running = found.loc[found["status"] == "running", "path"]
    ended = tuple(path for path in running if results.read(path)["status"] != "running")
    return _runs(places, written, ended) if ended else found


def stamps() -> str:
    """Another text whenever a run's folder has changed: files of a record are replaced whole, which it remembers."""
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
    # one text, because Streamlit takes its time to hash thousands of tuples
    return hashlib.sha256(repr(sorted(found + archives)).encode()).hexdigest()


def _changed(place: os.DirEntry[str] | str | Path) -> int:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:  # gone meanwhile
        return 0


def _folders(place: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            return [entry for entry in entries if entry.is_dir()]
    except OSError:  # not there, or gone meanwhile
        return []


@st.cache_resource(show_spinner="Reading the records ...", max_entries=2)
def _runs(places: tuple[str, ...], stamps: str, ended: tuple[str, ...]) -> pd.DataFrame:
    """ended: what was running in the first table and isn't any more: a killed process changes no file."""
    table = results.load(places, shipped=True)
    shipped = table["shipped"].astype(bool)
    origin = np.where(shipped, "shipped", "yours")
    return pd.concat([table.assign(shipped=shipped), pd.Series(origin, table.index, name="origin")], axis=1)


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with `tags` (one text) and `note` of the reader's own."""
    kept = notes.read(roots())
    found = [kept.get(run, notes.Marks()) for run in table["id"]]
    told = pd.DataFrame(
        {"tags": [", ".join(one.tags) for one in found], "note": [one.note for one in found]},
        index=table.index,
    )
    return pd.concat([table, told], axis=1)


def mark(run: str, tags: str, note: str) -> None:
    """Keeps a run's tags (separated by commas) and note in the first root."""
    notes.write(roots()[0], run, notes.Marks(notes.parsed(tags), note.strip()))


@dataclass(frozen=True)
class StudyRuns:
    """Done runs of one study on one suite at one size: either one's own or the shipped ones, never both."""

    study: str
    suite: str
    size: str
    shipped: bool
    runs: pd.DataFrame = field(repr=False, compare=False)

    @property
    def key(self) -> tuple:
        """Changes when any of its records does."""
        return tuple((path, results.written(path)) for path in self.runs["path"])

    @property
    def label(self) -> str:
        return f"{self.study} · {self.suite} · {self.size}" + (" · shipped reference" if self.shipped else "")

    @property
    def ids(self) -> list[str]:
        return list(self.runs["id"])

    @property
    def command(self) -> str:
        """What makes these runs again."""
        seeds = ",".join(str(seed) for seed in sorted(self.runs["seed"].unique()))
        return f"stan ablate {self.study} --suite {self.suite} --size {self.size} --seeds {seeds}"


def studies(table: pd.DataFrame) -> list[StudyRuns]:
    """Every study with a done run; one's own before the shipped."""
    return _studies(table)[1]


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={pd.DataFrame: id})
def _studies(table: pd.DataFrame) -> tuple[pd.DataFrame, list[StudyRuns]]:
    """With the table itself, so that no other gets its id meanwhile. Cutting out hundreds of studies takes long."""
    done = table[table["status"] == "done"]
    groups = done.groupby(["shipped", "study", "suite", "size"], sort=True)
    found = [
        StudyRuns(*map(str, names), shipped=bool(shipped), runs=part) for (shipped, *names), part in groups
    ]
    return table, found


def metrics(study: StudyRuns) -> list[str]:
    """Metrics that every run of the study has and that can be paired by query; the headline first."""
    table = study.runs
    present = [name for name in labels.METRICS if name in table and table[name].notna().all()]
    return sorted(present, key=lambda name: name != table["headline"].iloc[0])


def rows(study: StudyRuns) -> list[str]:
    """Rows with a done run, in the study's own order."""
    return study_tables.ordered(study.runs["row"], known_rows(study.study))


def known_rows(study: str) -> list[str]:
    return [row.name for row in experiments.STUDIES[study].rows] if study in experiments.STUDIES else []


def baseline(study: StudyRuns) -> str:
    """The row that the study counts its changes from, where it is done; else the first."""
    done = rows(study)
    wanted = experiments.STUDIES[study.study].baseline if study.study in experiments.STUDIES else ""
    return wanted if wanted in done else done[0]


def summary(study: StudyRuns, metric: str) -> pd.DataFrame:
    """`stan.results.summary` in the study's order; where a row has several configs, its name says which."""
    return study_tables.in_order(_summary(study.key, metric, study.runs), rows(study))


def changes(study: StudyRuns, baseline_row: str, metric: str, allow: bool = False) -> pd.DataFrame:
    """`stan.results.changes` in the study's order; `reason` is empty where the comparison stands."""
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
    """The ablation page's table; `every`: all printed benchmarks, not only the one that the suite mirrors."""
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
    """Order accuracy by row with its interval; empty where the suite has no twins."""
    return summary(study, "order.accuracy")


def seeds(study: StudyRuns, metric: str) -> pd.DataFrame:
    """row, seed, value: every run of the study."""
    return study_tables.in_order(
        study.runs[["row", "hash", "seed"]].assign(value=study.runs[metric]), rows(study)
    )


def won_lost(study: StudyRuns, baseline_row: str, row: str, metric: str) -> pd.DataFrame:
    """query, share of seeds right in either row, gain; the largest gain first."""
    before, after = (_per_query(study, name, metric) for name in (baseline_row, row))
    return study_tables.gains(before, after)


def _per_query(study: StudyRuns, row: str, metric: str) -> list[pd.Series]:
    answers = (results.per_query(path, metric) for path in study.runs.loc[study.runs["row"] == row, "path"])
    return [pd.Series(values, index=ids) for ids, values in answers]


def change(pair: pd.DataFrame) -> Change:
    """Paired change of the headline from the first run to the second. Raises ValueError where queries differ."""
    first, second = pair.iloc[:1], pair.iloc[1:]
    return results.change_between(first, second, str(pair["headline"].iloc[0]), allow=True)


def order_kinds(study: StudyRuns) -> pd.DataFrame:
    """Order accuracy by row and kind of motion, where the runs tell the kinds of their twins."""
    by_row = {row: study.runs.loc[study.runs["row"] == row, "path"] for row in rows(study)}
    return study_tables.order_kinds(
        {row: [results.ranks(path) for path in paths] for row, paths in by_row.items()}
    )


def printed(study: str) -> pd.DataFrame | None:
    """The paper's numbers by row, with component ticks, one column per benchmark; None where none is printed."""
    if study not in experiments.STUDIES:
        return None
    return study_tables.printed_beside(experiments.STUDIES[study].rows, report.components(study))


@dataclass(frozen=True)
class Record:
    """One run's documents as its page shows them."""

    run: dict[str, Any]
    provenance: dict[str, Any]
    config: dict[str, Any]
    evaluation: dict[str, Any]
    metrics: pd.DataFrame
    steps: pd.DataFrame
    validation: pd.DataFrame
    headline: str


def record(path: str) -> Record:
    """Read afresh: a running run's log grows."""
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
    """Notebooks of a run's folder and their HTML; a link that leads out of the folder is none of them."""
    folder = Path(path).resolve()
    if not folder.is_dir():  # an archive keeps none
        return []
    files = (page for page in sorted(folder.iterdir()) if page.suffix in (".html", ".ipynb"))
    return [page for page in files if page.resolve().parent == folder]


@st.cache_data(show_spinner=False)
def published_tables() -> dict[str, pd.DataFrame]:
    return published.tables()


def ledger(counted: bool = False) -> list[dict[str, Any]]:
    """`stan.report.reproduction.ledger` of one's own runs; counted: with STAN's cost counted on the model."""
    return _ledger(stamps(), counted, runs())


@st.cache_data(show_spinner="Looking for runs that answer print ...", max_entries=4)
def _ledger(key: str, counted: bool, _runs: pd.DataFrame) -> list[dict[str, Any]]:
    return printed_and_own.ledger(_runs[~_runs["shipped"]], _gmacs if counted else None)


def _gmacs(preset: str, frames: int, views: int) -> float:
    from stan.bench.flops import cost

    return cost(preset, frames, views)["gmacs_linear"]


def costs(study: StudyRuns, metric: str) -> pd.DataFrame:
    """`stan.report.costs` in the study's order."""
    return study_tables.in_order(_costs(study.key, metric, study.runs), rows(study))


@st.cache_data(show_spinner="Counting on the models ...", max_entries=32)
def _costs(key: tuple, metric: str, _runs: pd.DataFrame) -> pd.DataFrame:
    return report.costs(_runs, metric)


def probed(studies: Sequence[StudyRuns]) -> list[StudyRuns]:
    """Those of which a run has a time probe beside it."""
    folders = {str(folder) for place in (*roots(), results.SHIPPED) for folder in results.probed(place)}
    return [study for study in studies if study.runs["path"].isin(folders).any()]


def benches() -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """`stan.bench.store.load` over the roots and what comes with the package."""
    return store.load((*roots(), store.SHIPPED))


def time_probes(study: StudyRuns) -> pd.DataFrame:
    """`stan.report.time_probes`, read afresh: a probe is written when its run is long done."""
    return report.time_probes(study.runs)
