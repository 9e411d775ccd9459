"""A run's folder and a name on the hub in; its weights there, with a card that is written from its record, out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from stan import results
from stan.config import from_dict
from stan.models import checkpoint, hub
from stan.models.factory import weights_file
from stan.models.model_card import model_card
from stan.results.record_files import is_run

METRICS = (
    *("t2v.R@1", "t2v.R@5", "t2v.R@10", "t2v.MdR", "t2v.MnR", "v2t.R@1", "v2t.R@5", "v2t.R@10"),
    *("top-1", "top-5", "order.accuracy"),
)
ORIGIN = ("command", "commit", "dirty", "machine", "device", "data_hash", "checkpoint_hash", "end")


def push(run: str | Path, repository: str, licence: str = "other", private: bool = False) -> str:
    """Push a run, or a checkpoint that training wrote, to the hub and return the commit's address.

    Raises ValueError for a run that isn't done, for weights without an experiment, and as `hub.push`.
    """
    found = results.read(run) if is_run(run) else None
    if found is not None and found["status"] != "done":
        raise ValueError(f"{run} is {found['status']}: only a run that is done can be pushed")
    state, metadata = checkpoint.load(weights_file(run))
    if "experiment" not in metadata:
        raise ValueError(f"{run} was not trained here: push the original, where it was published")
    if found is None:
        card = model_card(repository, from_dict(metadata["experiment"]), licence)
    else:
        origin = {name: found["run"][name] for name in ORIGIN if found["run"].get(name)}
        card = model_card(repository, found["experiment"], licence, measured(Path(run)), origin)
    return hub.push(repository, state, metadata, card, private)


def measured(run: Path) -> list[dict[str, Any]]:
    """Return metric, value, low and high of a done run's test metrics; the interval is None where there is none."""
    folder = run.resolve()
    table = results.load(folder.parents[2])
    table = table[table["path"] == str(folder)]
    found = []
    for name in METRICS:
        for line in results.summary(table, name).to_dict("records"):
            low, high = (None if math.isnan(line[end]) else line[end] for end in ("low", "high"))
            found.append({"metric": name, "value": line["mean"], "low": low, "high": high})
    return found
