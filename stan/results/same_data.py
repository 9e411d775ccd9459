"""Runs that are done and their experiments in; an error out where an experiment's folder holds other data by now.

A real set's folder is no part of an experiment's identity, because sets move. So a folder that was changed, or another
set of the same layout, asks for a run under the same id, whose numbers are not its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stan.config import DataConfig, Experiment
from stan.data.datasets import SPLITS
from stan.data.shards import is_address
from stan.data.splits import readable
from stan.results.record import read


def refuse_other_data(
    done: Iterable[tuple[Path, Experiment]], worlds_root: str | Path, runs_root: str | Path
) -> None:
    """Raise ValueError for a run that read other videos or texts than its experiment would.

    A folder that is no longer there tells nothing; a world follows from its config. Of a run whose record names only
    the test split's hash, this split alone is compared.
    """
    now: dict[DataConfig, dict[str, str]] = {}
    for folder, experiment in done:
        data, run = experiment.data, read(folder)["run"]
        if data.root is None or not (is_address(data.root) or Path(data.root).is_dir()):
            continue
        before = run.get("data_hashes") or {"test": run["data_hash"]}
        if data not in now:
            now[data] = {split: readable(data, split, worlds_root, runs_root).hash for split in SPLITS}
        other = [split for split, told in before.items() if told != now[data][split]]
        if other:
            raise ValueError(
                f"{folder} was trained and tested on other videos or texts ({', '.join(other)}) than {data.root} holds:"
                " name another folder for this data's runs (--runs), or delete that run to train it again"
            )
