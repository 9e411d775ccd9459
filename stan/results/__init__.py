"""Run records: `RunWriter` writes one, `load` reads all as a table, `summary` and `changes` compare the table's rows.

A run is the folder `<root>/<study>/<row>/<config hash>-s<seed>` with `config.json`, `run.json`, `metrics.jsonl`,
`eval.json` and `ranks.npz`. A record is `done` only if its own writer said so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stan.common import lazily
from stan.results.archive import pack
from stan.results.record import (
    SHIPPED,
    find,
    find_training,
    probed,
    read,
    run_folders,
    time_probe,
    written,
)

if TYPE_CHECKING:
    from stan.results.comparison import (
        change_between,
        changes,
        differing,
        higher_is_better,
        on_backbone,
        other_backbone,
        paired_queries,
        per_query,
        protocol_differences,
        query_values,
        summary,
    )
    from stan.results.reader import history, is_setting, load, ranks
    from stan.results.writer import RunWriter, adopt

_COMPARISON = (
    *("change_between", "changes", "differing", "higher_is_better", "on_backbone", "other_backbone"),
    *("paired_queries", "per_query"),
    *("protocol_differences", "query_values", "summary"),
)
__getattr__ = lazily.names(
    __name__,
    dict.fromkeys(_COMPARISON, "stan.results.comparison")
    | dict.fromkeys(("history", "is_setting", "load", "ranks"), "stan.results.reader")
    | dict.fromkeys(("RunWriter", "adopt"), "stan.results.writer"),
)
"""Imports these names on first use. Tables need pandas, whose import takes longer than reading a hundred records."""

__all__ = [
    "SHIPPED",
    "RunWriter",
    "adopt",
    "change_between",
    "changes",
    "differing",
    "find",
    "find_training",
    "higher_is_better",
    "history",
    "is_setting",
    "load",
    "on_backbone",
    "other_backbone",
    "pack",
    "paired_queries",
    "per_query",
    "probed",
    "protocol_differences",
    "query_values",
    "ranks",
    "read",
    "run_folders",
    "summary",
    "time_probe",
    "written",
]
