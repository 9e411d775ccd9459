"""Points in; a run of Trackio out, in its local folder or where TRACKIO_SPACE_ID or TRACKIO_SERVER_URL say."""

from __future__ import annotations

from collections.abc import Sequence

import trackio

from stan.tracking.base import PROJECT, Point, RunFacts


class Run:
    """Trackio finds a run by its name, so that is the record's id."""

    def __init__(self, facts: RunFacts, id: str | None):
        self.id = id or facts.id
        self._run = trackio.init(
            project=PROJECT,
            name=self.id,
            group=facts.tags["study"],
            config={**facts.config, "record": dict(facts.tags)},
            resume="never" if id is None else "allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log(point.values, step=point.step)

    def end(self, status: str) -> None:
        self._run.finish()
