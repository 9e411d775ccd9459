"""The table of runs in; means over seeds with intervals, and paired changes from a baseline row, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stan import experiments
from stan.evaluation.metrics import found
from stan.evaluation.statistics import Change, bootstrap, paired
from stan.results.reader import is_setting, ranks
from stan.results.record import FOREIGN

GROUP = ("study", "suite", "size", "row", "hash")
"""Columns that identify a row: runs that agree in all of them are seeds of one row."""

PROTOCOL = (
    *("data.suite", "data.size", "data.world_seed", "data.frames", "split"),
    *("model.backbone", "model.pretrained", "test_time"),
)
"""Columns in which two rows must agree if only the method is to explain a difference in their numbers. The backbone
determines the resolution, too."""

_NO_INTERVAL = {"low": None, "high": None}


def other_backbone(df: pd.DataFrame) -> pd.Series:
    """Return the backbone of each run where it is none of its study's own on that suite, elsewhere ""."""
    if df.empty:
        return pd.Series("", df.index)
    names = ["study", "suite", "size", "model.backbone"]
    kinds = df[names].drop_duplicates()
    others = {kind: _other(*kind) for kind in kinds.itertuples(index=False, name=None)}
    return pd.Series([others[kind] for kind in df[names].itertuples(index=False, name=None)], df.index)


def on_backbone(df: pd.DataFrame, backbone: str | None = None) -> pd.DataFrame:
    """Return the runs on a backbone; by default, on those that their studies use."""
    if backbone is None or df.empty:
        return df[other_backbone(df) == ""]
    return df[df["model.backbone"] == backbone]


def _other(study: str, suite: str, size: str, backbone: str) -> str:
    try:
        own = experiments.backbones(study, suite, size)
    except ValueError:  # a study that the project doesn't know has no backbones of its own
        return ""
    return "" if backbone in own else backbone


def differing(df: pd.DataFrame) -> list[str]:
    """Return the config columns in which the runs of `df` differ. A value that only some runs have is a difference."""
    names = [name for name in df.columns if is_setting(name)]
    return [
        name
        for name in names
        if df[name].astype(object).where(df[name].notna(), None).map(repr).nunique() > 1
    ]


def per_query(path: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return `query_values` of the run in the folder `path`. Raises ValueError if there are none."""
    try:
        return query_values(ranks(path), metric)
    except KeyError as error:
        raise ValueError(f"{metric} has no values per query: no {error} in ranks.npz") from None


def query_values(arrays: Mapping[str, np.ndarray], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (query ids, values) from a record's arrays.

    A value is 100 or 0 for R@K, top-K and order accuracy, and the rank itself for MdR and MnR. `metric` may start with
    "seen." or "unseen.". Raises KeyError if the metric has no values per query.
    """
    group, name = _split_group(metric)
    ids, placed = _placed(arrays, name)
    if group is not None:
        chosen = _seen(arrays, ids, name) == (group == "seen")
        ids, placed = ids[chosen], placed[chosen]
    return ids, _values(placed, name)


def summary(df: pd.DataFrame, metric: str, repeats: int = 10000) -> pd.DataFrame:
    """Return one line per row and config of the done runs, with the mean and its interval.

    Columns: study, suite, size, row, hash, n (number of seeds), mean, sd, shipped, low, high, reason. sd is over seeds
    (ddof 1, empty for one seed). low and high: 95 % bootstrap interval over queries, with seeds averaged. They are
    empty, with a reason, if there are no values per query (validation and last metrics) or the seeds have different
    queries.
    """
    rows = []
    for key, runs in _groups(df, metric):
        values = runs[metric].astype(float)
        row = {
            **key,
            "n": len(runs),
            "mean": values.mean(),
            "sd": values.std(ddof=1),
            "shipped": bool(runs["shipped"].all()),
        }
        rows.append(row | interval(runs, metric, repeats))
    columns = [*GROUP, "n", "mean", "sd", "shipped", "low", "high", "reason"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def changes(
    df: pd.DataFrame, baseline_row: str, metric: str, allow: bool = False, repeats: int = 10000
) -> pd.DataFrame:
    """Return the paired change of every row from `baseline_row` of the same study, suite and size, on equal queries.

    Columns: study, suite, size, row, hash, n, change, low, high, won, lost, p, reason. A comparison that isn't fair
    (see PROTOCOL) or isn't possible has no numbers but a reason. `allow` permits different protocols, but never
    different queries.
    """
    groups = list(_groups(df, metric))
    rows = []
    for key, runs in groups:
        if key["row"] == baseline_row:
            continue
        place = {name: key[name] for name in ("study", "suite", "size")}
        base = [other for k, other in groups if place.items() <= k.items() and k["row"] == baseline_row]
        rows.append({**key, "n": len(runs)} | _change_row(base, runs, baseline_row, metric, allow, repeats))
    columns = [*GROUP, "n", "change", "low", "high", "won", "lost", "p", "reason"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("change", "low", "high", "p"), float))


def change_between(
    a: pd.DataFrame, b: pd.DataFrame, metric: str, allow: bool = False, repeats: int = 10000
) -> Change:
    """Return the paired change from runs `a` (seeds of one row) to runs `b`. Raises ValueError if that isn't fair."""
    differences = [] if allow else protocol_differences(a, b)
    if differences:
        raise ValueError(f"not the same protocol: {'; '.join(differences)}")
    _, before, after = paired_queries(a, b, metric)
    better = higher_is_better(metric)
    return paired(before, after, repeats, statistic=_statistic(metric), higher_is_better=better)


def paired_queries(
    a: pd.DataFrame, b: pd.DataFrame, metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids (Q,) and the values of `a` (seeds, Q) and of `b` (seeds, Q). Raises ValueError if queries differ."""
    ids_a, values_a = _stacked(a, metric)
    ids_b, values_b = _stacked(b, metric)
    if not np.array_equal(ids_a, ids_b):
        raise ValueError(
            f"not the same queries: {len(ids_a)} and {len(ids_b)}, {_shared(ids_a, ids_b)} shared"
        )
    return ids_a, values_a, values_b


def higher_is_better(metric: str) -> bool:
    """Tell whether a higher value is better: False for the rank metrics MdR and MnR."""
    return not metric.endswith(("MdR", "MnR"))


def protocol_differences(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Return, in words, the items of PROTOCOL in which runs `a` and `b` differ; none if they can be compared."""
    names = [name for name in PROTOCOL if name in a.columns and name in b.columns]
    told = [(name, _unique(a[name]), _unique(b[name])) for name in names]
    return [f"{name} {one} against {other}" for name, one, other in told if one != other]


def one_per_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a config's runs by seed: a shipped run and the same run repeated here count as one seed."""
    return runs.sort_values("shipped", kind="stable").drop_duplicates("seed").sort_values("seed")


def interval(runs: pd.DataFrame, metric: str, repeats: int) -> dict[str, Any]:
    """Return low and high of the mean over runs, 95 % over queries; if there are none, they are None with a reason."""
    try:
        _, values = _stacked(runs, metric)
    except ValueError as error:
        return _NO_INTERVAL | {"reason": str(error)}
    _, low, high = bootstrap(values, repeats, statistic=_statistic(metric))
    return {"low": low, "high": high, "reason": ""}


def _groups(df: pd.DataFrame, metric: str):
    if metric not in df.columns:
        return
    read = [*GROUP, *PROTOCOL, "id", "path", "seed", "shipped", "status", metric]  # of well over a hundred
    done = df.loc[(df["status"] == "done") & df[metric].notna(), df.columns.isin(read)]
    for key, runs in done.groupby(list(GROUP), sort=False):
        yield dict(zip(GROUP, key, strict=True)), one_per_seed(runs)


def _change_row(
    base: Sequence[pd.DataFrame],
    runs: pd.DataFrame,
    baseline_row: str,
    metric: str,
    allow: bool,
    repeats: int,
) -> dict[str, Any]:
    if len(base) != 1:
        count = "no done run" if not base else f"{len(base)} different configs"
        return {"reason": f"row {baseline_row} has {count} here"}
    try:
        change = change_between(base[0], runs, metric, allow, repeats)
    except ValueError as error:
        return {"reason": str(error)}
    return vars(change) | {"reason": ""}


def _stacked(runs: pd.DataFrame, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return ids (Q,) and values (seeds, Q), both sorted by id, whatever order they were written in."""
    foreign = runs.loc[runs["status"] == FOREIGN, "id"]
    if len(foreign):
        raise ValueError(f"{foreign.iloc[0]} was measured elsewhere: it has no ranks per query to pair")
    answers = [per_query(path, metric) for path in runs["path"]]
    order = [np.argsort(ids, kind="stable") for ids, _ in answers]
    ids = answers[0][0][order[0]]
    for (other, _), by_id in zip(answers, order, strict=True):
        if not np.array_equal(ids, other[by_id]):
            raise ValueError("seeds were not tested on the same queries")
    if len(ids) == 0:
        raise ValueError(f"no query for {metric}")
    return ids, np.stack([values[by_id] for (_, values), by_id in zip(answers, order, strict=True)])


def _placed(arrays: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    if name.startswith("t2v."):
        return arrays["query_ids"], arrays["t2v"]
    if name.startswith("v2t."):
        return arrays["video_ids"], arrays["v2t"]
    if name == "order.accuracy":
        return arrays["order_ids"], arrays["order_correct"]
    if name.startswith("top-"):
        return arrays["video_ids"], arrays["ranks"]
    raise KeyError(name)


def _values(placed: np.ndarray, name: str) -> np.ndarray:
    kind = name.rpartition(".")[2]
    if kind.startswith(("R@", "top-")):
        return 100.0 * found(placed, int(kind.lstrip("Rtop@-")))
    return 100.0 * placed if kind == "accuracy" else placed.astype(float)


def _seen(arrays: Mapping[str, np.ndarray], ids: np.ndarray, name: str) -> np.ndarray:
    """Return a mask (Q,) of the metric's seen queries; `seen` is per text query, in recognition per video."""
    if name == "order.accuracy":
        flags, told = arrays.get("order_seen"), arrays["order_ids"]
    elif name.startswith("v2t.") and "video_seen" in arrays:
        flags, told = arrays["video_seen"], arrays["video_ids"]
    else:
        flags, told = arrays.get("seen"), arrays["query_ids" if "query_ids" in arrays else "video_ids"]
    if flags is None or len(flags) != len(ids) or len(told) != len(ids):
        raise ValueError(f"ranks.npz doesn't tell which queries of {name} are seen")
    return flags.astype(bool)


def _split_group(metric: str) -> tuple[str | None, str]:
    group, _, name = metric.partition(".")
    return (group, name) if group in ("seen", "unseen") else (None, metric)


def _statistic(metric: str):
    return np.median if metric.endswith("MdR") else np.mean


def _unique(values: pd.Series) -> str:
    return " and ".join(sorted({"none" if pd.isna(value) or value == "" else str(value) for value in values}))


def _shared(a: np.ndarray, b: np.ndarray) -> int:
    return len(np.intersect1d(a, b))
