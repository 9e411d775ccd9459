"""A library's calls, limits and tokens in; the service as an ASGI application out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from stan.service import answers
from stan.service.access import Gate, Tokens, refusal
from stan.service.calls import LibraryCalls, Unknown
from stan.service.jobs import Jobs
from stan.service.lanes import Lane, TooMany, TooSlow
from stan.service.limits import Limits
from stan.service.metrics import CONTENT_TYPE, Measured, Metrics
from stan.service.routes import REFUSED, routes

BEARER = HTTPBearer(auto_error=False, description="A line of the token file.")
"""Only describes the tokens: `Gate` asks for them before a route is looked for."""


def build(
    calls: LibraryCalls, limits: Limits, tokens: Tokens | None = None, local_only: bool = True
) -> FastAPI:
    """Return the service. tokens, local_only: see `stan.service.access.Gate`."""
    quick = Lane("quick", limits.workers, limits.waiting, limits.seconds)
    slow = Lane("slow", limits.slow_workers, limits.waiting, limits.slow_seconds)
    jobs = Jobs(calls.index, calls.told, limits.jobs)
    metrics = Metrics((quick, slow), jobs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        for lane in (quick, slow):
            lane.close()
        jobs.close()

    app = FastAPI(
        title="stan",
        version=version("stan-video"),
        description="Search, recognise and explain the videos of one library.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    guarded = [Security(BEARER)] if tokens else []
    app.include_router(routes(calls, quick, slow, jobs, limits), dependencies=guarded)
    _add_state(app, (quick, slow), metrics, guarded)
    _add_errors(app, calls)
    app.add_middleware(Gate, limits=limits, tokens=tokens, local_only=local_only)
    app.add_middleware(Measured, metrics=metrics)
    return app


def _add_state(app: FastAPI, lanes: tuple[Lane, ...], metrics: Metrics, guarded: list[Any]) -> None:
    """Add the routes that answer whatever else is going on: they need neither a worker nor the library."""

    @app.get(
        "/health",
        response_model=answers.Health,
        operation_id="health",
        tags=["state"],
        responses={403: {"model": answers.Error, "description": REFUSED[403]["description"]}},
    )
    async def health() -> Any:
        """Whether the service answers, and how busy it is. It needs no token."""
        running, waiting = (sum(getattr(lane, name) for lane in lanes) for name in ("running", "waiting"))
        return {"status": "ok", "version": app.version, "running": running, "waiting": waiting}

    @app.get(
        "/metrics",
        operation_id="metrics",
        dependencies=guarded,
        tags=["state"],
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **{status: REFUSED[status] for status in (401, 403, 429)},
        },
    )
    async def prometheus() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _add_errors(app: FastAPI, calls: LibraryCalls) -> None:
    """Make every error a status and one line of JSON."""

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return refusal(422, f"{place}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        status = 422 if error.status_code == 400 else error.status_code
        return refusal(status, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(TooMany)
    async def too_many(_: Request, error: TooMany) -> JSONResponse:
        return refusal(429, str(error), {"Retry-After": str(error.seconds)})

    @app.exception_handler(TooSlow)
    async def too_slow(_: Request, error: TooSlow) -> JSONResponse:
        return refusal(504, str(error))

    @app.exception_handler(Unknown)
    async def unknown(_: Request, error: Unknown) -> JSONResponse:
        return refusal(404, str(error))

    @app.exception_handler(ValueError)
    async def impossible(_: Request, error: ValueError) -> JSONResponse:
        return refusal(422, calls.told(error))

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return refusal(500, "the service failed; its log says how")
