"""Printed numbers and your own runs in; every printed number with what was measured under its protocol out.

Printed and own numbers stand side by side: `value` is always the printed number, and `own` is never taken from print.
Only runs on the real benchmark count, because the embedded world mirrors a benchmark but does not measure it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stan import experiments, results
from stan.config import Experiment, to_dict, with_parts
from stan.experiments import published
from stan.results.listing import listed
from stan.results.record import flatten

if TYPE_CHECKING:
    import pandas as pd

STATUSES = ("reproduced", "outside the interval", "protocol differs", "not run")

SUITES = {
    "MSR-VTT": "msrvtt",
    "DiDeMo": "didemo",
    "LSMDC": "lsmdc",
    "Kinetics-400": "kinetics",
    "Something-Something-v2": "something",
}
PROTOCOL = (
    *("data.frames", "data.words", "model.backbone", "model.pretrained", "train.frozen"),
    "split",
)
"""Settings that a run must share with print to be compared, apart from method, benchmark and test-time tricks."""

Cell = Mapping[str, Any]
Count = Callable[[str, int, int], float]
"""(preset, frames, views) -> multiply-accumulates, in units of 10^9, of linear and patch layers."""


class _Method(NamedTuple):
    """The method that a printed name stands for."""

    row: str
    """Row of the study `structures`."""
    backbone: str
    frozen: str = "nothing"
    options: Mapping[str, Any] = {}
    """Options that differ from the row's."""


_CONVOLUTION = {"cross_frame": "convolution", "convolution": "bottleneck"}
_METHODS = {
    f"{name}-B/{patch}": _Method("stan", f"ViT-B-{patch}", options=options)
    for name, options in {
        "A-STA": {},
        "STAN-self": {},
        "C-STA": _CONVOLUTION,
        "STAN-conv": _CONVOLUTION,
    }.items()
    for patch in (16, 32)
} | {
    "CenterCLIP": _Method("center_clip", "ViT-B-32"),
    "DRL-B/16": _Method("token_interaction+decorrelation", "ViT-B-16"),
    "CLIP-B/16": _Method("mean", "ViT-B-16"),
    "Action-CLIP-B/16": _Method("actionclip+own-loss", "ViT-B-16"),
    "A6": _Method("efficient_prompting", "ViT-B-16", "clip"),
    "STadapter-CLIP-B/16": _Method("st_adapter", "ViT-B-16", "clip"),
    "X-CLIP-B/16": _Method("x_clip+video_prompts", "ViT-B-16"),
    "X-CLIP-B/16 (re-implemented)": _Method("x_clip+video_prompts", "ViT-B-16"),
}
"""Names in the tables of results. Clip4Clip is missing, because only the table of structures says which of its heads
was used."""

_ON_SOMETHING = {"STadapter-CLIP-B/16": _Method("st_adapter-both", "ViT-B-16", "clip")}
"""Names that stand for something else on Something-Something v2."""

_TRICKS = {"DSL/QB-Norm": "dsl"} | {f"{views} views": f"views-{views}" for views in ("1x3", "4x3", "10x3")}
_PRINTED_WITH = {("ablation_structures", "STAN", "Kinetics-400"): ("views-1x3",)}
"""Test-time tricks that a table does not name. Another table prints the same number with them."""

_COUNTED_FRAMES = 8
"""Frames of the counted cost. The cost printed for 16 frames is twice that of 8, although the one CLS token of a view
does not double."""

_PRECISION = 0.05
"""Printed numbers are rounded to one decimal."""


def printed(root: Path, table: str | None = None, count: Count | None = None) -> list[dict[str, Any]]:
    """Return the `cells` of the runs under `root`, of all printed numbers or those of one table.

    Raises ValueError for a table that there is not.
    """
    if table is not None and table not in published.SOURCES:
        raise ValueError(f"no printed table {table!r}; there are {', '.join(published.SOURCES)}")
    measured = any(one["suite"] in SUITES.values() for one in listed(root, shipped=False))
    own = results.load(root) if measured else None  # runs on the embedded world measure no benchmark
    return [item for item in cells(own, count) if table in (None, item["table"])]


def cells(runs: pd.DataFrame | None, count: Count | None = None) -> list[dict[str, Any]]:
    """Return `published.numbers`, each with status (one of STATUSES), own, interval, runs (ids), protocol and reason.

    runs: as `results.load` returns them, or None if there are none.
    count: counts printed costs on the model, as `stan.bench.flops` does; None to leave them out. A cost is reproduced
        if it rounds to the printed number.

    own is the mean over the seeds of the config with the most seeds, and interval its 95 % interval over queries.
    reason says why there is no own number, or what differs.
    """
    done, own = runs, []
    if runs is not None and len(runs):
        done = runs[(runs["status"] == "done") & runs["suite"].isin(SUITES.values())]
        own = [(results.read(path)["experiment"], i) for i, path in done["path"].items()]
    planned = _planned()
    return [dict(cell) | _entry(cell, planned, done, own, count) for cell in published.numbers()]


def protocol(cell: Cell, planned: Mapping[tuple, Experiment] | None = None) -> Experiment | None:
    """Return the experiment that a printed cell reports, as far as print tells; None for methods not found here."""
    planned = _planned() if planned is None else planned
    place = (cell["table"], cell["row"], cell["benchmark"])
    if cell["table"].startswith("ablation"):
        found = planned.get(place)
        return found and replace(found, test_time=_PRINTED_WITH.get(place, found.test_time))
    name, *extras = cell["row"].split(", ")
    tricks = tuple(_TRICKS[extra] for extra in extras if extra in _TRICKS)
    frames = [int(extra.split()[0]) for extra in extras if extra.endswith("frames")]
    known = _METHODS | (_ON_SOMETHING if cell["benchmark"] == "Something-Something-v2" else {})
    # for other methods, print does not say which of the two tricks in "DSL/QB-Norm" they use
    if name not in known or ("dsl" in tricks and known[name].row != "stan"):
        return None
    method, suite = known[name], SUITES[cell["benchmark"]]
    # LSMDC uses as many frames and words as MSR-VTT
    similar = suite if (suite, "full") in experiments.SETTINGS else "msrvtt"
    row = next(one for one in experiments.study("structures", similar) if one.row == method.row)
    return with_parts(
        replace(row, test_time=tricks),
        data={"suite": suite, "frames": frames[0] if frames else row.data.frames},
        model={"backbone": method.backbone, "options": {**row.model.options, **method.options}},
        train={"frozen": method.frozen},
    )


def _planned() -> dict[tuple, Experiment]:
    """Return, by (table, row, benchmark), the experiment that a study runs for the row that names a printed one."""
    suites = {name: suite for name, suite in SUITES.items() if (suite, "full") in experiments.SETTINGS}
    found = {}
    for study in experiments.STUDIES.values():
        for benchmark, suite in suites.items():
            for experiment in experiments.study(study.name, suite):
                for printed in experiments.row(study.name, experiment.row).printed:
                    found.setdefault((*printed, benchmark), experiment)
    return found


def _entry(
    cell: Cell,
    planned: Mapping[tuple, Experiment],
    done: pd.DataFrame | None,
    own: list[tuple[Experiment, Any]],
    count: Count | None,
) -> dict[str, Any]:
    wanted = protocol(cell, planned)
    nothing = {"status": "not run", "own": None, "interval": None, "runs": [], "reason": None}
    if wanted is None:
        return nothing | {"protocol": None, "reason": "a method or a protocol that no study here runs"}
    nothing["protocol"] = _words(wanted)
    if cell["metric"] == "GFLOPs" and wanted.model.temporal != "stan":
        return nothing | {"reason": "its authors' count, by a convention that print doesn't name"}
    if cell["metric"] == "GFLOPs":
        return nothing | (_counted(cell, wanted, count) if count else {"reason": "not counted (--count)"})
    places = [i for experiment, i in own if _method(experiment) == _method(wanted)]
    if done is None or not places:
        return nothing
    alike = done.loc[places]
    differences = alike.apply(lambda run: "; ".join(_differences(run, wanted)), axis=1)
    fair = alike[differences == ""]
    chosen = fair if len(fair) else alike
    found = _measured(chosen, cell["metric"])
    if "own" in found and not len(fair):
        return nothing | found | {"status": "protocol differs", "reason": differences[chosen.index[0]]}
    if found["interval"] is None:  # a metric that wasn't measured, or seeds that answered different queries
        return nothing | found | {"status": "protocol differs" if "own" in found else "not run"}
    low, high = found["interval"]
    inside = low - _PRECISION <= cell["value"] <= high + _PRECISION
    return nothing | found | {"status": STATUSES[0] if inside else STATUSES[1]}


def _method(experiment: Experiment) -> tuple:
    model = experiment.model
    return experiment.data.suite, model.temporal, model.options, model.similarity, set(experiment.test_time)


def _differences(run: pd.Series, wanted: Experiment) -> list[str]:
    printed = flatten(to_dict(wanted)) | {"split": "test"}
    return [
        f"{name} {run[name]} against {printed[name]} in print"
        for name in PROTOCOL
        if run[name] != printed[name]
    ]


def _measured(runs: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Measure the runs of the config with the most seeds, or of the first such config."""
    name = metric if metric.startswith("top-") else f"t2v.{metric}"
    if name not in runs:
        return {"interval": None, "reason": f"the runs have no {name}"}
    group = runs[runs["hash"] == runs["hash"].value_counts(sort=True).index[0]]
    row = results.summary(group, name).iloc[0]
    interval = None if row["low"] != row["low"] else [float(row["low"]), float(row["high"])]
    said = {"own": float(row["mean"]), "interval": interval, "runs": group["id"].tolist()}
    return said | {"reason": row["reason"] or None}


def _counted(cell: Cell, wanted: Experiment, count: Count) -> dict[str, Any]:
    options = wanted.model.options
    kind = "conv" if options["cross_frame"] == "convolution" else "self"
    deep = "-k6" if options["layers"] == 6 else ""
    twice = wanted.data.frames / _COUNTED_FRAMES
    own = twice * count(f"stan-{kind}-b16{deep}", _COUNTED_FRAMES, 3)
    status = STATUSES[0] if round(own) == cell["value"] else STATUSES[1]
    return {"own": own, "interval": [own, own], "status": status, "reason": "counted on the model"}


def _words(wanted: Experiment) -> dict[str, Any]:
    model = wanted.model
    named: dict[str, Any] = {
        "suite": wanted.data.suite,
        "backbone": model.backbone,
        "temporal": model.temporal,
    }
    named |= {"options": model.options, "frames": wanted.data.frames, "words": wanted.data.words}
    return named | {"test_time": list(wanted.test_time)}
