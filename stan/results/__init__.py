"""Run records: `RunWriter` writes one; `load` reads all as a table; `summary` and `changes` compare its rows.

A run is the folder `<root>/<study>/<row>/<config hash>-s<seed>` with `config.json`, `run.json`,
`metrics.jsonl`, `eval.json` and `ranks.npz`; a record is `done` only when its own writer said so.
"""

from stan.results.archive import pack
from stan.results.comparison import (
    change_between,
    changes,
    differing,
    higher_is_better,
    paired_queries,
    per_query,
    protocol_differences,
    query_values,
    summary,
)
from stan.results.reader import (
    SHIPPED,
    find,
    find_training,
    history,
    load,
    probed,
    ranks,
    read,
    run_folders,
    time_probe,
    written,
)
from stan.results.writer import RunWriter, adopt

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
    "load",
    "paired_queries",
    "pack",
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
