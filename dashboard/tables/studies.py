"""The table of runs in; studies with their rows, intervals, changes, twins, queries and costs out, as cached tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.tables import arguments, records, study_tables
from stan import experiments, report, results
from stan.config import DataConfig
from stan.experiments import published
from stan.results.record_files import INTERPOLATION


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
        return records.key(self.runs)

    @property
    def label(self) -> str:
        parts = [self.study, self.suite, self.size, self.backbone, "shipped reference" * self.shipped]
        return " · ".join(part for part in parts if part)

    @property
    def ids(self) -> list[str]:
        return list(self.runs["id"])

    @property
    def weights(self) -> str:
        """Which weights were tested: of the epoch that was best on validation, a mean over epochs, or CLIP's own."""
        return ", ".join(sorted(self.runs["selected"].astype(str).unique()))

    @property
    def command(self) -> str:
        return records.commands(self.runs)


def done(table: pd.DataFrame) -> list[StudyRuns]:
    """Return every study with a done run: the user's own before the shipped ones, its own backbone before others, and
    the default size before others.
    """
    return _done(table)[1]


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={pd.DataFrame: id})
def _done(table: pd.DataFrame) -> tuple[pd.DataFrame, list[StudyRuns]]:
    """Return the table and its studies, cached because splitting off hundreds of studies is slow.

    The cache key is the table's `id`. Keeping the table in the cache prevents another one from getting the same id.
    """
    runs = table[table["status"] == "done"]
    runs = runs.assign(backbone=results.other_backbone(runs))
    groups = runs.groupby(["shipped", "study", "suite", "backbone", "size"], sort=True)
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
    present = rows(study)
    wanted = experiments.STUDIES[study.study].baseline if study.study in experiments.STUDIES else ""
    return wanted if wanted in present else present[0]


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

    before: with `baseline_row`; after: with `row`. Raises ValueError for a row with several configs: its runs are not
    seeds of one another.
    """
    before, after = (_per_query(study, name, metric) for name in (baseline_row, row))
    return study_tables.gains(before, after)


def _per_query(study: StudyRuns, row: str, metric: str) -> list[pd.Series]:
    runs = study.runs[study.runs["row"] == row]
    if (configs := runs["hash"].nunique()) > 1:
        raise ValueError(f"row {row} has {configs} different configs here")
    answers = (results.per_query(path, metric) for path in runs["path"])
    return [pd.Series(values, index=ids) for ids, values in answers]


def order_kinds(study: StudyRuns) -> pd.DataFrame:
    """Return order accuracy by row and kind of motion, for runs that record the kinds of their twins."""
    table = study_tables.in_order(study.runs[["row", "hash", "path"]], rows(study))
    by_row = table.groupby("row", sort=False)["path"]
    return study_tables.order_kinds(
        {str(row): [results.ranks(path) for path in paths] for row, paths in by_row}
    )


def printed(study: str) -> pd.DataFrame | None:
    """Return the paper's numbers by row, with component ticks and one column per benchmark; None if none is printed."""
    if study not in experiments.STUDIES:
        return None
    return study_tables.printed_beside(experiments.STUDIES[study].rows, report.components(study))


def costs(study: StudyRuns, metric: str) -> pd.DataFrame:
    """Return `stan.report.costs` in the study's order."""
    return study_tables.in_order(_costs(study.key, metric, study.runs), rows(study))


@st.cache_data(show_spinner="Counting on the models ...", max_entries=32)
def _costs(key: tuple, metric: str, _runs: pd.DataFrame) -> pd.DataFrame:
    return report.costs(_runs, metric)


def probed(studies: Sequence[StudyRuns], file: str) -> list[StudyRuns]:
    """Return the studies in which at least one run has a file of this name beside its record."""
    places = (*arguments.roots(), results.SHIPPED)
    folders = {str(folder) for place in places for folder in results.probed(place, file)}
    return [study for study in studies if study.runs["path"].isin(folders).any()]


def time_probes(study: StudyRuns) -> pd.DataFrame:
    """Return `stan.report.time_probes`. It is not cached, because a probe is written long after its run is done."""
    return report.time_probes(study.runs)


def interpolations(study: StudyRuns) -> pd.DataFrame:
    """Return `stan.report.interpolations`; each run may be measured long after it is done."""
    written = tuple(results.written(path, INTERPOLATION) for path in study.runs["path"])
    return _interpolations((*study.key, written), study.runs)


@st.cache_data(show_spinner="Drawing the intervals ...", max_entries=32)
def _interpolations(key: tuple, _runs: pd.DataFrame) -> pd.DataFrame:
    return report.interpolations(_runs)
