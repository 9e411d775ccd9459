"""The calls over a library in; their routes below `/v1`, checked and documented by types, out.

Annotations are not postponed here: FastAPI evaluates them, and some name functions within functions.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse

from stan.service import answers
from stan.service import questions as q
from stan.service.calls import LibraryCalls
from stan.service.jobs import Job, Jobs
from stan.service.lanes import Lane, TooMany
from stan.service.limits import Limits
from stan.service.uploads import PICTURES, VIDEO, body_of, uploaded


def _error(description: str) -> dict[str, Any]:
    """Return how OpenAPI describes an error: as JSON, also of routes that answer something else."""
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


REFUSED: dict[int | str, dict[str, Any]] = {
    401: _error("The token is missing or wrong."),
    403: _error("Asked by another host's name, or from another site's page."),
    413: _error("The body is too large."),
    422: _error("The request is not as described, or cannot be answered."),
    429: _error("Too many calls: `Retry-After` has the seconds to wait."),
    504: _error("It took too long."),
}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: _error("There is no such video or job.")}
EXAMPLES = [VIDEO, *PICTURES]


def routes(calls: LibraryCalls, quick: Lane, slow: Lane, jobs: Jobs, limits: Limits) -> APIRouter:
    """Return the routes. quick: for calls that the index answers; slow: for those that decode or run the model."""
    router = APIRouter(prefix="/v1", responses=REFUSED)
    for part in (
        _library(calls, quick),
        _search(calls, quick),
        _looking(calls, slow),
        _by_upload(calls, slow),
    ):
        router.include_router(part)
    if calls.pictures:
        router.include_router(_pictures(calls, slow))
    router.include_router(_indexing(calls, jobs, limits))
    return router


def _library(calls: LibraryCalls, lane: Lane) -> APIRouter:
    router = APIRouter(tags=["library"])

    @router.get("/library", response_model=answers.About, operation_id="library")
    async def library() -> Any:
        """What the library is: its model, its videos, its folders."""
        return await lane.run(calls.about)

    @router.get("/videos", response_model=answers.Videos, operation_id="videos")
    async def videos(asked: Annotated[q.Page, Query()]) -> Any:
        """The videos, sorted by folder and name."""
        return await lane.run(lambda: calls.videos(**asked.model_dump()))

    @router.get("/videos/{id}", response_model=answers.Video, responses=UNKNOWN, operation_id="video")
    async def video(id: q.Id) -> Any:
        """One video."""
        return await lane.run(lambda: calls.video(id))

    return router


def _search(calls: LibraryCalls, lane: Lane) -> APIRouter:
    router = APIRouter(tags=["search"])

    @router.post("/search", response_model=answers.Found, operation_id="search")
    async def search(asked: q.Search) -> Any:
        """The videos that fit a sentence best, each with the moment that fits best."""
        return await lane.run(lambda: calls.search(**asked.model_dump()))

    @router.post("/moments", response_model=answers.FoundMoments, operation_id="moments")
    async def moments(asked: q.Moments) -> Any:
        """The windows of any videos that fit a sentence best; none overlaps another."""
        return await lane.run(lambda: calls.moments(**asked.model_dump()))

    @router.post("/similar", response_model=answers.Found, responses=UNKNOWN, operation_id="similar")
    async def similar(asked: q.Similar) -> Any:
        """The videos most like one of the library, or like a moment of it."""
        return await lane.run(lambda: calls.similar(**asked.model_dump()))

    return router


def _looking(calls: LibraryCalls, lane: Lane) -> APIRouter:
    router = APIRouter(tags=["one video"])

    @router.post("/recognise", response_model=answers.Recognised, responses=UNKNOWN, operation_id="recognise")
    async def recognise(asked: q.Recognise) -> Any:
        """How likely each label is for a video of the library, and whether none fits."""
        return await lane.run(lambda: calls.recognise(**asked.model_dump()))

    @router.post("/explain", response_model=answers.Explained, responses=UNKNOWN, operation_id="explain")
    async def explain(asked: q.Explain) -> Any:
        """Why a video of the library and a sentence score as they do: tested maps, and what each word contributes."""
        return await lane.run(lambda: calls.explain(**asked.model_dump()))

    return router


def _by_upload(calls: LibraryCalls, lane: Lane) -> APIRouter:
    router = APIRouter(tags=["uploads"])

    @router.post(
        "/similar/upload",
        response_model=answers.Found,
        operation_id="similar_upload",
        openapi_extra=body_of(EXAMPLES),
    )
    async def similar_upload(request: Request, asked: Annotated[q.SimilarUpload, Query()]) -> Any:
        """The videos most like an uploaded video or picture, which is the body; it is not kept."""
        async with lane.place() as place, uploaded(request, EXAMPLES) as file:
            where = asked.model_dump(include=set(q.Where.model_fields))
            given = asked.model_dump(exclude=set(where))
            return await place.run(lambda: calls.similar(file, where=where, **given))

    @router.post(
        "/recognise/upload",
        response_model=answers.Recognised,
        operation_id="recognise_upload",
        openapi_extra=body_of([VIDEO]),
    )
    async def recognise_upload(request: Request, asked: Annotated[q.RecogniseUpload, Query()]) -> Any:
        """How likely each label is for an uploaded video, which is the body; it is not kept."""
        async with lane.place() as place, uploaded(request, [VIDEO]) as file:
            given = asked.model_dump(exclude={"label", "template"})
            return await place.run(
                lambda: calls.recognise(file, asked.label, templates=asked.template, **given)
            )

    return router


def _pictures(calls: LibraryCalls, lane: Lane) -> APIRouter:
    router = APIRouter(prefix="/videos/{id}", tags=["pictures"], responses=UNKNOWN)

    @router.get("/strip", response_class=FileResponse, responses=_file("image/webp"), operation_id="strip")
    async def strip(id: q.Id) -> Any:
        """Eight pictures of a video in a row, evenly spread over it."""
        return FileResponse(await lane.run(lambda: calls.picture(id, "webp")), media_type="image/webp")

    @router.get(
        "/playback", response_class=FileResponse, responses=_file("video/mp4"), operation_id="playback"
    )
    async def playback(id: q.Id, asked: Annotated[q.Playback, Query()]) -> Any:
        """A small copy of a video without sound, or a minute of it."""
        return FileResponse(
            await lane.run(lambda: calls.picture(id, "mp4", asked.part)), media_type="video/mp4"
        )

    return router


def _file(kind: str) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes an answer that is a file of this media type."""
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


def _indexing(calls: LibraryCalls, jobs: Jobs, limits: Limits) -> APIRouter:
    router = APIRouter(prefix="/jobs", tags=["indexing"])
    open_streams = 0

    def known(id: q.Id) -> Job:
        return jobs.job(id)

    async def stream(job: Annotated[Job, Depends(known)]) -> AsyncIterator[Job]:
        nonlocal open_streams
        if open_streams >= limits.streams:
            raise TooMany(
                f"{limits.streams} streams are open, which is all that may: ask for the job itself", 5
            )
        open_streams += 1
        try:
            yield job
        finally:
            open_streams -= 1

    @router.post("", response_model=answers.Job, status_code=202, operation_id="index")
    async def index(asked: q.Index) -> Any:
        """Index one of the allowed folders: new and changed videos are embedded, those that are gone are dropped."""
        calls.roots.path(asked.folder, asked.below)
        return jobs.start(asked.folder, asked.below).document()

    @router.get("", response_model=answers.Jobs, operation_id="jobs")
    async def every() -> Any:
        """The jobs, the latest first."""
        return {"jobs": [job.document() for job in jobs.all()]}

    @router.get("/{id}", response_model=answers.Job, responses=UNKNOWN, operation_id="job")
    async def one(job: Annotated[Job, Depends(known)]) -> Any:
        """How far a job is."""
        return job.document()

    @router.get(
        "/{id}/events", response_class=EventSourceResponse, responses=UNKNOWN, operation_id="job_events"
    )
    async def events(job: Annotated[Job, Depends(stream)]) -> AsyncIterator[answers.Job]:
        """How far a job is, as server-sent events, up to its end."""
        async for now in jobs.watch(job.id):
            yield answers.Job(**now.document())

    return router
