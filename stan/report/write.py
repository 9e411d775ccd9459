"""A study's runs in; its report out as booktabs LaTeX, CSV, PNG and PDF files, each with its run ids and command."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from stan import experiments, report, results
from stan.common.files import write_bytes
from stan.experiments import published
from stan.report import figures, formats, study_figures
from stan.results import level_probes

_BENCHMARKS = {"msrvtt_R@1": "MSR-VTT", "didemo_R@1": "DiDeMo", "k400_top1": "K400", "ssv2_top1": "SSv2"}
_TICKS = {"cross_frame": "cross", "intra_frame": "intra", "branch": "branch", "multi_level": "multi"}


@dataclass(frozen=True)
class SuiteTables:
    """What a report shows of a study on one suite. Each table is made once: intervals and counts take seconds."""

    suite: str
    runs: pd.DataFrame
    rows: pd.DataFrame
    changes: pd.DataFrame
    order: pd.DataFrame
    costs: pd.DataFrame
    probes: pd.DataFrame
    interpolations: pd.DataFrame

    @classmethod
    def of(cls, suite: str, runs: pd.DataFrame) -> SuiteTables:
        metric = report.headline(suite)
        rows = report.rows(runs, metric)
        return cls(
            suite,
            runs,
            rows,
            report.changes(runs, metric),
            report.rows(runs, "order.accuracy"),
            report.with_costs(rows, runs),
            report.time_probes(runs),
            report.interpolations(runs),
        )

    @property
    def metric(self) -> str:
        return report.headline(self.suite)

    @property
    def study(self) -> str:
        return self.runs["study"].iloc[0]

    @property
    def printed(self) -> dict[str, float | None]:
        return report.printed(self.study, self.suite)

    @property
    def done(self) -> pd.DataFrame:
        return self.runs[self.runs["status"] == "done"]

    @property
    def ids(self) -> list[str]:
        return self.done["id"].tolist()


def write(
    study: str,
    out: str | Path,
    runs: str | Path | Sequence[str | Path] = "runs",
    suites: Sequence[str] = (),
    size: str = "quick",
    shipped: bool = True,
    backbone: str | None = None,
) -> dict[str, Any]:
    """Write table.tex, numbers.csv and, for each suite, figures (.png, .pdf) and their numbers (.csv) into `out`.

    suites: if none is named, all that have done runs. size: of the embedded world; real sets have one, `full`.
    backbone: of the runs; None: those that the study uses.
    Figures: rows, changes, twins, seen, cost, time (if a run was probed), interpolation (if a run was measured with
    CLIP's weights moved back), trade-off (if that was also on stills or another data set); and levels-BACKBONE, where
    `stan probe-levels --save` kept what the levels of the runs' backbones hold.
    Returns {"study", "suites", "size", "command", "runs": ids by suite, "rows": `numbers`, "files"}.
    Raises ValueError for an unknown study, and if a named suite, or every suite, has no done run.
    """
    found = _runs(study, runs, suites, size, shipped, backbone)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    on = [] if backbone is None else ["--backbone", backbone]
    command = shlex.join(["stan", "report", study, "--suite", ",".join(found), "--size", size, *on])
    of_suites = [SuiteTables.of(suite, part) for suite, part in found.items()]
    ids = {tables.suite: tables.ids for tables in of_suites}
    every = [one for part in ids.values() for one in part]
    table = numbers(of_suites)
    files = {
        "table.tex": formats.latex(layout(study, table), every, command),
        "numbers.csv": formats.csv(table, every, command),
    }
    for tables in of_suites:
        files |= _of_suite(tables, command)
    files |= _of_backbones(pd.concat(found.values()), runs, shipped, command)
    for name, content in files.items():
        write_bytes(out / name, content)
    said = {"study": study, "suites": list(found), "size": size, "command": command, "runs": ids}
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return said | {"rows": rows, "files": [str(out / name) for name in files]}


def layout(study: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the study's table as the paper prints it, with columns of two levels. table: from `numbers`.

    There is one line per row, a tick for each component and a group of columns per suite. The printed number of the
    benchmark that the suite is or mirrors has a column of its own. A row with several configs has a line for each, as
    `report.told_apart` names them.
    """
    parts = table.groupby("suite", sort=False)
    suites = {str(suite): part.assign(shown=report.told_apart(part)["row"]) for suite, part in parts}
    lines = _lines(study, suites)
    columns: dict[tuple[str, str], list[Any]] = {("", "row"): list(lines)}
    ticks = report.components(study)
    if ticks is not None:
        of_row = ticks.set_index("row")
        for column in ticks.columns[1:]:
            columns["components", _TICKS[column]] = [bool(of_row.loc[row, column]) for row in lines.values()]
    for suite, part in suites.items():
        own = _own(part, lines) | _printed(study, suite, lines)
        columns |= {(_group(suite), name): values for name, values in own.items()}
    return pd.DataFrame(columns)


def numbers(suites: Iterable[SuiteTables]) -> pd.DataFrame:
    """Return what the table and the figures show, one line per row and suite.

    Columns: suite, row, hash, n, metric, mean, sd, low, high, change, change_low, change_high, won, lost, p, order,
    order_low, order_high, paper, reason (why there is no change).
    """
    return pd.concat([_numbers(tables) for tables in suites], ignore_index=True)


def _runs(
    study: str, runs: Any, suites: Sequence[str], size: str, shipped: bool, backbone: str | None
) -> dict[str, pd.DataFrame]:
    loaded = results.load(runs, shipped)
    every = loaded[(loaded["study"] == study) & (loaded["status"] == "done")]
    done = every[every["size"] == [experiments.size_of(suite, size) for suite in every["suite"]]]
    there = results.on_backbone(done, backbone)
    # where nothing was asked for or is there, the last ones are for what `of_study` says
    wanted = suites or next(
        (sorted(a["suite"].unique()) for a in (there, done, every) if len(a)), ["motions"]
    )
    where = f"in {runs}"
    sizes = {suite: experiments.size_of(suite, size) for suite in wanted}
    return {suite: report.of_study(loaded, study, suite, sizes[suite], where, backbone) for suite in wanted}


def _lines(study: str, suites: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the rows of any suite by the names under which they are shown, in the study's order."""
    rows = {
        shown: row for part in suites.values() for shown, row in zip(part["shown"], part["row"], strict=True)
    }
    known = [row.name for row in experiments.STUDIES[study].rows]
    return {shown: row for name in known for shown, row in rows.items() if row == name}


def _group(suite: str) -> str:
    return f"{suite}, {report.headline(suite).removeprefix('t2v.')}"


def _own(part: pd.DataFrame, lines: Mapping[str, str]) -> dict[str, list[Any]]:
    table = part.set_index("shown").reindex(list(lines))
    ranges = {
        "own [95 %]": ("", ["mean", "low", "high"]),
        "change": ("+", ["change", "change_low", "change_high"]),
    }
    cells: dict[str, list[Any]] = {
        name: [None if pd.isna(v[0]) else formats.with_interval(*v, sign) for v in table[of].to_numpy()]
        for name, (sign, of) in ranges.items()
    }
    return cells | {"order": table["order"].tolist()}


def _printed(study: str, suite: str, lines: Mapping[str, str]) -> dict[str, list[float | None]]:
    printed = report.printed(study, suite)
    if all(value is None for value in printed.values()):
        return {}
    benchmark = _BENCHMARKS.get(published.COLUMN_OF_SUITE.get(suite, ""))
    return {f"printed: {benchmark}": [printed[row] for row in lines.values()]}


def _numbers(tables: SuiteTables) -> pd.DataFrame:
    table = tables.rows[["row", "hash", "n", "mean", "sd", "low", "high"]]
    moved = tables.changes.rename(columns={"low": "change_low", "high": "change_high"})
    moved = moved[["row", "hash", "change", "change_low", "change_high", "won", "lost", "p", "reason"]]
    order = tables.order[["row", "hash", "mean", "low", "high"]]
    order = order.rename(columns={"mean": "order", "low": "order_low", "high": "order_high"})
    table = table.merge(moved, how="left").merge(order, how="left")
    table.insert(0, "suite", tables.suite)
    table.insert(4, "metric", tables.metric)
    paper = table["row"].map(tables.printed).astype(float)
    reason = table.pop("reason").fillna("")
    return table.assign(paper=paper, reason=reason)


def _of_suite(tables: SuiteTables, command: str) -> dict[str, bytes]:
    """Return the suite's files by name."""
    files = {}
    for name, figure in _figures(tables).items():
        files |= _drawn(f"{name}-{tables.suite}", figure, tables.ids, command)
    seeds = report.seeds(tables.runs, tables.metric)
    numbers = {
        "seeds": seeds,
        "cost": tables.costs,
        "time": tables.probes,
        "interpolation": tables.interpolations,
    }
    for name, table in numbers.items():
        if len(table):
            files[f"{name}-{tables.suite}.csv"] = formats.csv(table, tables.ids, command)
    return files


def _drawn(name: str, figure: Figure, ids: Sequence[str], command: str) -> dict[str, bytes]:
    return {
        f"{name}.png": formats.png(figure, ids, command),
        f"{name}.pdf": formats.pdf(figure, ids, command),
    }


def _figures(tables: SuiteTables) -> dict[str, Figure]:
    """Return the suite's figures by name, without those that have nothing to show."""
    metric, shown = tables.metric, tables.metric.removeprefix("t2v.")
    rows, changes, order = (report.told_apart(one) for one in (tables.rows, tables.changes, tables.order))
    printed = tables.printed
    paper = {name: printed.get(row) for name, row in zip(rows["row"], tables.rows["row"], strict=True)}
    seeds = report.seeds(report.told_apart(tables.done), metric)
    drawn = {
        "rows": figures.ablation(rows, shown, paper, seeds),
        "cost": study_figures.cost(report.told_apart(tables.costs), shown),
    }
    if changes["change"].notna().any():
        drawn["changes"] = figures.forest(changes, shown, experiments.STUDIES[tables.study].baseline)
    if len(order):
        drawn["twins"] = figures.order_accuracy(order)
    groups = ("seen", "unseen")
    seen, unseen = (report.told_apart(report.rows(tables.runs, f"{group}.{metric}")) for group in groups)
    if len(seen) and len(unseen):
        drawn["seen"] = figures.seen_unseen(seen, unseen, shown)
    if len(tables.probes):
        drawn["time"] = study_figures.time_probes(tables.probes, shown)
    if len(tables.interpolations):
        drawn["interpolation"] = study_figures.interpolations(tables.interpolations)
    plane = report.trade_off(tables.interpolations)
    if len(plane):
        drawn["trade-off"] = study_figures.trade_off(plane)
    return drawn


def _of_backbones(runs: pd.DataFrame, root: Any, shipped: bool, command: str) -> dict[str, bytes]:
    """Return figures and tables of what the levels of the runs' backbones hold, where they were probed."""
    roots = [
        *([root] if isinstance(root, str | Path) else root),
        *([level_probes.SHIPPED] if shipped else []),
    ]
    files = {}
    for record in reversed(level_probes.load(roots)[0]):  # of equal weights, the latest is kept
        weights = record["pretrained"]
        of_weights = (
            runs["model.pretrained"].isna() if weights is None else runs["model.pretrained"] == weights
        )
        same = (runs["model.backbone"] == record["backbone"]) & of_weights
        ids, rows = runs.loc[same & (runs["status"] == "done"), "id"].tolist(), pd.DataFrame(record["rows"])
        if not ids:
            continue
        name = "levels-" + level_probes.named(record)
        files |= _drawn(name, study_figures.levels(rows), ids, command)
        files[f"{name}.csv"] = formats.csv(rows, ids, command)
    return files
