"""Points in; a run of MLflow out, where MLFLOW_TRACKING_URI says."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from stan.tracking.base import PROJECT, Point, RunFacts

STATUS = {"running": "RUNNING", "done": "FINISHED", "interrupted": "KILLED"}
"""MLflow's word for a record's status; all others have failed."""
PARAMS_AT_ONCE, METRICS_AT_ONCE = 100, 1000
"""The most that MLflow takes in one request."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Unless the environment says otherwise. MLflow's own defaults take minutes until they tell that a server is away;
what it has not got is sent later anyway."""


class Run:
    """One run, in the experiment that MLFLOW_EXPERIMENT_NAME says."""

    def __init__(self, facts: RunFacts, id: str | None):
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        self._client = MlflowClient()
        self.id = self._created(facts) if id is None else id
        self._client.update_run(self.id, status="RUNNING")

    def _created(self, facts: RunFacts) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if known is None else known.experiment_id
        start = round(facts.start * 1000)
        run = self._client.create_run(experiment, start, dict(facts.tags), facts.name).info.run_id
        params = [Param(_name(key), str(value)) for key, value in facts.config.items()]
        for some in _pieces(params, PARAMS_AT_ONCE):
            self._client.log_batch(run, params=some)
        return run

    def log(self, points: Sequence[Point]) -> None:
        metrics = [
            Metric(_name(key), value, round(point.time * 1000), point.step)
            for point in points
            for key, value in point.values.items()
        ]
        for some in _pieces(metrics, METRICS_AT_ONCE):
            self._client.log_batch(self.id, metrics=some)

    def end(self, status: str) -> None:
        self._client.set_terminated(self.id, STATUS.get(status, "FAILED"))


def _name(name: str) -> str:
    """Return a name without the `@` that MLflow refuses: "t2v.R@1" becomes "t2v.R_at_1"."""
    return name.replace("@", "_at_")


def _pieces(values: list, size: int) -> list[list]:
    return [values[start : start + size] for start in range(0, len(values), size)]
