"""Points in; TensorBoard's event files in the run's own folder out, so that `tensorboard --logdir runs` shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import tensorboard  # noqa: F401  # named by the error if it is missing; torch's own error names none
from torch.utils.tensorboard import SummaryWriter

from stan.tracking.base import Point, RunFacts

FOLDER = "tensorboard"


class Run:
    """An attempt at a run has an event file of its own; TensorBoard joins those of one folder."""

    id = FOLDER

    def __init__(self, facts: RunFacts, id: str | None):
        self._writer = SummaryWriter(facts.folder / FOLDER)
        if id is None:
            for name, values in (("config", facts.config), ("tags", facts.tags)):
                text = json.dumps(dict(values), indent=1)
                self._writer.add_text(name, f"```\n{text}\n```", 0, facts.start)

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            for name, value in point.values.items():
                self._writer.add_scalar(name, value, point.step, point.time)
        self._writer.flush()

    def end(self, status: str) -> None:
        self._writer.add_text("status", status)
        self._writer.close()
