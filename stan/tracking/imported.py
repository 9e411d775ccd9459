"""A table of results, an export of Weights & Biases or a folder of TensorBoard's in; foreign runs out.

Nothing is guessed: a column counts as a metric if it has a name of this suite's metrics, or is told to be one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stan.common.json_values import Doubled, each_once, from_json
from stan.common.tables import records
from stan.results.foreign import ForeignRun
from stan.results.record import flatten
from stan.tracking.base import module

METRIC = re.compile(r"(seen\.|unseen\.)?((t2v|v2t)\.(R@\d+|MdR|MnR|N)|top-\d+|order\.(accuracy|N)|N)")
"""Names of test metrics in `stan.results.load`."""
SHARE = re.compile(r".*(R@\d+|top-\d+|accuracy)")
"""Metrics in percent."""
ROW, SEED, SUITE, STATE = (
    ("row", "name", "Name"),
    ("seed", "Seed"),
    ("suite", "data.suite"),
    ("state", "State"),
)
"""Columns that name a run, its seed, its suite and its state; the first that is there counts."""
OF_WANDB = ("config", "summary", "summary_metrics")
"""Objects in a line of an export of Weights & Biases whose values are columns."""

Line = tuple[str, dict[str, Any]]
"""A place for messages (`FILE:3`), and what stands there by column."""


def read(source: Path, named: Mapping[str, str], suite: str | None = None) -> list[ForeignRun]:
    """Return the runs in a .csv, in a .jsonl of Weights & Biases' runs, or in a folder with TensorBoard's event files.

    named: a metric's name here by its name there. suite: of the runs that don't name theirs.
    Raises ValueError, naming file, line and column, for a column or value that is missing, doubled or no number.
    """
    if source.is_dir():
        return _of_tensorboard(source, named, suite)
    if not source.is_file():
        raise ValueError(f"{source} is missing: name a .csv, a .jsonl or a folder of event files")
    lines = _objects(source) if source.suffix == ".jsonl" else _table(source)
    columns = {column: None for _, values in lines for column in values}
    metrics = _metrics(source, columns, named)
    if not any(name in columns for name in ROW):
        raise ValueError(f"{source}: no column row, nor name: one of them must name each run")
    return [_run(where, values, metrics, suite) for where, values in lines]


def _table(file: Path) -> list[Line]:
    numbered = list(records(file))
    if len(numbered) < 2:
        raise ValueError(f"{file} holds no runs: a header and a row for each run are expected")
    (line, header), *rows = numbered
    doubled = [name for name, count in Counter(header).items() if count > 1]
    if doubled:
        raise ValueError(f"{file}:{line}: column {doubled[0]!r} stands twice: remove or rename one")
    for number, row in rows:
        if len(row) != len(header):
            raise ValueError(f"{file}:{number}: {len(row)} values where the header has {len(header)}")
    return [(f"{file}:{number}", dict(zip(header, row, strict=True))) for number, row in rows]


def _objects(file: Path) -> list[Line]:
    found = []
    for number, text in enumerate(file.read_bytes().splitlines(), 1):
        where = f"{file}:{number}"
        try:
            run = from_json(text, object_pairs_hook=each_once) if text.strip() else None
        except Doubled as error:
            raise ValueError(f"{where}: column {error}") from error
        except ValueError as error:
            raise ValueError(f"{where} is no JSON object of a run ({error})") from error
        if run is None:
            continue
        if not isinstance(run, dict):
            raise ValueError(
                f"{where} is no JSON object of a run: one with name, config and summary is expected"
            )
        found.append((where, _columns(where, run)))
    if not found:
        raise ValueError(f"{file} holds no runs: a JSON object for each run is expected")
    return found


def _columns(where: str, run: dict[str, Any]) -> dict[str, Any]:
    """Return a run's values by column: what is in its config and summary beside its own."""
    columns: dict[str, Any] = {}
    parts = [{name: run[name] for name in run if name not in OF_WANDB}]
    parts += [run[name] for name in OF_WANDB if isinstance(run.get(name), dict)]
    for part in parts:
        for name, value in flatten(part).items():
            if name in columns:
                raise ValueError(f"{where}: column {name!r} stands twice: remove or rename one")
            columns[name] = value
    return columns


def _metrics(source: Path, columns: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, str]:
    """Return our name of a metric by its column."""
    for theirs, ours in named.items():
        if theirs not in columns:
            raise ValueError(f"{source}: no column {theirs!r} (--metric); there are {', '.join(columns)}")
        if not METRIC.fullmatch(ours):
            raise ValueError(f"--metric {theirs}={ours}: no metric here is called so; t2v.R@1 or top-1 are")
    found = {column: column for column in columns if METRIC.fullmatch(column)} | dict(named)
    doubled = [name for name, count in Counter(found.values()).items() if count > 1]
    if doubled:
        theirs = [column for column, ours in found.items() if ours == doubled[0]]
        raise ValueError(f"{source}: columns {' and '.join(theirs)} are both {doubled[0]}: name one of them")
    if not found:
        raise ValueError(
            f"{source}: no column is a metric (t2v.R@1, top-1, ...): name one by --metric THEIRS=OURS; there are"
            f" {', '.join(columns)}"
        )
    return found


def _run(where: str, values: Mapping[str, Any], metrics: Mapping[str, str], suite: str | None) -> ForeignRun:
    told = {kind: next((name for name in kind if name in values), None) for kind in (ROW, SEED, SUITE, STATE)}
    row, seed, of_suite, state = (None if name is None else values[name] for name in told.values())
    taken = {*metrics, *told.values()}
    return ForeignRun(
        row=folder_name(f"{where}: column {told[ROW]}", row),
        metrics={ours: _number(where, column, values.get(column), ours) for column, ours in metrics.items()},
        where=where,
        seed=0 if told[SEED] is None else _seed(where, told[SEED], seed),
        suite=str(of_suite) if of_suite not in (None, "") else suite,
        settings={
            name: value for name, value in values.items() if name not in taken and value not in (None, "")
        },
        state=None if state in (None, "") else str(state),
    )


def folder_name(where: str, value: Any) -> str:
    """Return a name that a folder can have. Raises ValueError if nothing is left of it."""
    name = re.sub(r"[^\w.+=@ -]", "-", "" if value is None else str(value)).strip(". ")
    if not name:
        raise ValueError(f"{where} is {value!r}, which names nothing")
    return name


def _seed(where: str, column: str | None, value: Any) -> int:
    try:
        seed = int(value)
    except (TypeError, ValueError, OverflowError):
        seed = -1
    if seed < 0 or str(seed) != str(value).strip():
        raise ValueError(f"{where}: column {column} is {value!r}, not a seed: a whole number from 0 on")
    return seed


def _number(where: str, column: str, value: Any, ours: str) -> float:
    """Return a metric's value. Raises ValueError for what is no finite number, or no percentage where that is meant."""
    if value is None or value == "":
        raise ValueError(f"{where}: column {column} is empty: fill it in, or leave this run out")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{where}: column {column} is {value!r}, not a finite number")
    if SHARE.fullmatch(ours) and not 0 <= number <= 100:
        raise ValueError(f"{where}: column {column} is {value!r}, not a percentage")
    return number


def _of_tensorboard(root: Path, named: Mapping[str, str], suite: str | None) -> list[ForeignRun]:
    folders = sorted({file.parent for file in root.rglob("events.out.tfevents.*")})
    if not folders:
        raise ValueError(f"{root} holds no event files of TensorBoard (events.out.tfevents.*)")
    found = []
    for folder in folders:
        scalars = _scalars(folder)
        metrics = _metrics(folder, scalars, named)
        last = {tag: points[-1][1] for tag, points in scalars.items()}
        inside = folder.relative_to(root).as_posix()
        values = {tag: last[tag] for tag in metrics} | {
            "row": root.resolve().name if inside == "." else inside
        }
        run = _run(str(folder), values, metrics, suite)
        found.append(ForeignRun(run.row, run.metrics, run.where, suite=suite, log=_log(scalars)))
    return found


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return (step, value) of each scalar in a folder's event files, sorted by step; of a repeated step, the last."""
    module("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0}).Reload()
    found = {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    for tag in events.Tags()["tensors"]:  # TensorFlow's own scalars
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            found[tag] = {e.step: float(make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)}
    return {tag: sorted(points.items()) for tag, points in found.items()}


def _log(scalars: Mapping[str, Sequence[tuple[int, float]]]) -> list[dict[str, Any]]:
    """Return a line for each step. A log holds finite numbers only, so others are left out."""
    lines: dict[int, dict[str, Any]] = {}
    for tag, points in scalars.items():
        for step, value in points:
            if math.isfinite(value):
                lines.setdefault(step, {"step": step})[tag] = value
    return [lines[step] for step in sorted(lines)]
