"""Requests, lanes and jobs in; what Prometheus reads out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stan.service.jobs import Jobs
from stan.service.lanes import Lane

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
STATUSES = ("waiting", "running", "done", "failed")


class Metrics:
    """The numbers of one service, apart from those of any other in the process."""

    def __init__(self, lanes: Sequence[Lane], jobs: Jobs):
        self._registry = kept = CollectorRegistry()
        self.requests = Counter("stan_requests", "Answered requests.", ["route", "status"], registry=kept)
        self.seconds = Histogram(
            "stan_request_seconds",
            "Seconds until the end of an answer.",
            ["route"],
            buckets=SECONDS,
            registry=kept,
        )
        calls = Gauge("stan_calls", "Calls that are running or waiting.", ["lane", "state"], registry=kept)
        for lane in lanes:
            calls.labels(lane.name, "running").set_function(lambda lane=lane: lane.running)
            calls.labels(lane.name, "waiting").set_function(lambda lane=lane: lane.waiting)
        indexing = Gauge("stan_index_jobs", "Jobs that are remembered.", ["status"], registry=kept)
        for status in STATUSES:
            indexing.labels(status).set_function(_counter(jobs, status))

    def text(self) -> bytes:
        return generate_latest(self._registry)


def _counter(jobs: Jobs, status: str) -> Callable[[], float]:
    return lambda: sum(job.status == status for job in jobs.all())


class Measured:
    """Counts and times the requests that `app` answers, by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            route = _route(scope)
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)


OTHER = "other"
"""Stands for everything that is no route, so that hostile names make no new numbers."""


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "operation_id", OTHER)
