"""A callable that finds files in; the routes that serve them out, each under the opaque id of its video.

Small videos and strips that are made here (`stan.library.proxies`), and clips that a visitor had cut, are the only
files that are ever served.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.languages import answer, translated
from stan.common.errors import reason, told
from stan.data.video.extensions import READABLE
from stan.library.proxies import MAKERS

SERVED = (*MAKERS, "zip")


def require_video_name(upload: Path) -> None:
    """Raise ValueError for an upload without a video's extension; its content is checked when it is opened."""
    if upload.suffix.lower() not in READABLE:
        known = ", ".join(sorted(READABLE))
        raise ValueError(
            translated(
                "{name} does not look like a video: upload one of {known}", name=upload.name, known=known
            )
        )


def routes(media: Callable[[str, str, int | None], Path]) -> list[Route]:
    """Return the routes of `/media/ID.mp4`, `.webp` and `.zip`, and of `/media/ID/PART.mp4` of a long video.

    media: `media(id, kind, part)` returns the file, or raises ValueError or OSError.
    """

    def serve(request: Request) -> Response:
        answer(request)
        id, kind, part = (request.path_params.get(name) for name in ("id", "kind", "part"))
        kind = kind or "mp4"
        if kind not in SERVED:
            return PlainTextResponse("not here", status_code=404)
        try:
            made = media(id, kind, part)
        except ValueError as error:
            return PlainTextResponse(told(error), status_code=404)
        except FileNotFoundError:
            return PlainTextResponse(translated("the file is gone: index its folder again"), status_code=404)
        except OSError as error:
            return PlainTextResponse(
                translated("it cannot be shown: {why}", why=reason(error)), status_code=404
            )
        return FileResponse(made, headers={"Cache-Control": "private, max-age=600"})

    paths = ("/media/{id}.{kind}", "/media/{id}/{part:int}.mp4")
    return [Route(path, serve, methods=["GET", "HEAD"]) for path in paths]
