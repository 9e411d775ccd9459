"""A run's record in; its queries with their texts, right answers, first five answers and subjects out.

The plan of the embedded world tells what a query is about (motion, objects, how many), and nothing is rendered for it.
For real sets, only the texts and classes that the record keeps are known. Records from before `answers` was kept have
ranks, but not the first five answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from stan import results
from stan.data.world import suites
from stan.evaluation.metrics import found

COLUMNS = ("query", "text", "right", "rank", "lost", "motion", "objects", "count", "seen", "order", "answers")
ORDERS = {1.0: "told from its twin", 0.5: "undecided", 0.0: "confused with its twin"}


def queries(path: str) -> pd.DataFrame:
    """Return COLUMNS, one line per query of the done run in the folder `path`, in the record's order.

    text: the caption (recognition: the class, or the whole sentence if the embedded world tells it).
    right: id of the query's video (recognition: its class).
    rank: 1 is best.
    lost: True if the right answer is not found first.
    motion, objects, count (of objects), seen, order (one of ORDERS): None if unknown, and order also without a twin.
    answers: the first five answers as a tuple of texts, () if the record does not keep them.

    Raises ValueError if ranks.npz cannot be read or its parts do not fit together.
    """
    arrays = results.ranks(path)
    try:
        return _queries(path, arrays)
    except (KeyError, IndexError, TypeError) as error:  # a run's folder may come from anywhere
        raise ValueError(
            f"{path}: ranks.npz doesn't fit together ({error}); evaluate the run again"
        ) from error


def groups(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return one line per group, with the most lost queries first.

    Columns: group, queries, lost, share (of lost queries, in percent), confused (lost queries that are confused with
    their twin).
    table: from `queries`.
    by: motion, objects, count, order, seen or right. A query with several objects counts for each of them.
    """
    told = table[table[by].notna()].explode(by) if by == "objects" else table[table[by].notna()]
    confused = told["lost"] & (told["order"] == ORDERS[0.0])
    grouped = told.assign(confused=confused).groupby(by, sort=False)
    counted = grouped.agg(queries=("lost", "size"), lost=("lost", "sum"), confused=("confused", "sum"))
    counted = counted.assign(share=100 * counted["lost"] / counted["queries"])[
        ["queries", "lost", "share", "confused"]
    ]
    return counted.sort_values(["lost", "share"], ascending=False).rename_axis("group").reset_index()


def _queries(path: str, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    config = results.read(path)["experiment"].data
    plans = plans_by_id(config.suite, config.size, config.world_seed)
    lines = _retrieval(arrays) if "t2v" in arrays else _recognition(arrays)
    facts = pd.DataFrame([_facts(plans.get(video)) for video in lines["video"]], columns=list(_FACTS))
    table = lines.join(facts)
    kinds = dict(zip(arrays.get("order_ids", []), arrays.get("order_kinds", []), strict=False))
    table["motion"] = _told(table["motion"], table["video"].map(kinds))
    order = dict(zip(arrays.get("order_ids", []), arrays.get("order_correct", []), strict=True))
    table["order"] = [ORDERS.get(float(order[video])) if video in order else None for video in table["video"]]
    table["lost"] = ~found(table["rank"].to_numpy(float), 1)
    text, right = _told(table["sentence"], table["text"]), _told(table["right"], table["label"])
    return table.assign(text=text, right=right)[list(COLUMNS)]


def _retrieval(arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    ids, videos = arrays["query_ids"], arrays["video_ids"]
    # a video with several captions has queries CLIP#0, CLIP#1, ...
    owner = videos[arrays["owner"]] if "owner" in arrays else [str(name).partition("#")[0] for name in ids]
    captions = arrays.get("captions", np.full(len(ids), None))
    first = dict(zip(owner[::-1], captions[::-1], strict=True))
    answers = [tuple(str(first[v] or v) for v in videos[row]) for row in arrays.get("answers", [])]
    return _lines(
        arrays, query=ids, video=owner, text=captions, right=owner, rank=arrays["t2v"], answers=answers
    )


def _recognition(arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    ids, classes = arrays["video_ids"], arrays.get("classes")
    if classes is None:
        names, answers = np.full(len(ids), None), []
    else:
        names = classes[arrays["labels"]]
        answers = [tuple(map(str, classes[row])) for row in arrays.get("answers", [])]
    return _lines(
        arrays, query=ids, video=ids, text=names, right=names, rank=arrays["ranks"], answers=answers
    )


def _lines(arrays: Mapping[str, np.ndarray], **columns: Any) -> pd.DataFrame:
    """Return the columns as a table with `seen`, and () for missing answers."""
    count = len(columns["query"])
    columns["answers"] = columns["answers"] or [()] * count
    seen = arrays["seen"].astype(bool) if len(arrays.get("seen", ())) == count else [None] * count
    return pd.DataFrame(columns).assign(seen=seen)


def _told(sentences: pd.Series, texts: pd.Series) -> pd.Series:
    return sentences.where(sentences.notna(), texts)


_FACTS = ("sentence", "label", "motion", "objects", "count")


def _facts(plan: suites.Plan | None) -> tuple[Any, ...]:
    if plan is None:
        return (None,) * len(_FACTS)
    looks = dict.fromkeys(f"{look.colour} {look.shape}" for event in plan.events for look in event.looks)
    return plan.captions()[0], plan.label, plan.kind, tuple(looks), len(looks)


@lru_cache(maxsize=8)
def plans_by_id(suite: str, size: str, seed: int) -> dict[str, suites.Plan]:
    """Return the test split's clips by id; empty for a real set and for a size that this version does not know."""
    if suite not in suites.SUITES or size not in suites.SIZES:
        return {}
    return {plan.id: plan for plan in suites.plans(suite, size, seed) if plan.split == "test"}
