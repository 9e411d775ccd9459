"""Points in; a run of Weights & Biases out: online, or with WANDB_MODE=offline in the run's folder for `wandb sync`."""

from __future__ import annotations

import os
from collections.abc import Sequence

import wandb

from stan.tracking.base import PROJECT, Point, RunFacts


class Run:
    """One run, in the project that WANDB_PROJECT says."""

    def __init__(self, facts: RunFacts, id: str | None):
        self._run = wandb.init(
            id=id,
            resume=None if id is None else "allow",
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=facts.name,
            group=facts.tags["study"],
            tags=[facts.tags[name] for name in ("study", "row", "suite")],
            config={**facts.config, "record": dict(facts.tags)},
            dir=facts.folder,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, save_code=False),
        )
        self.id = self._run.id

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log(point.values, step=point.step)

    def end(self, status: str) -> None:
        self._run.finish(exit_code=int(status not in ("done", "running")))
