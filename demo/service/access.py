"""Requests in; refusals out, or answers whose headers stop pages from contacting other servers and files from running.

Only what the page needs can be reached: its own parts, the queue, uploads, and `media/` (see `demo.service.media`).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from stan.common.hosts import is_loopback

PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'; object-src 'none'"
)
FILE_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"

_STARTING = "/gradio_api/startup-events"
"""Path that gradio itself requests once, when the server is up; it has no password to give."""
_PAGE = ("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt")
_FOLDERS = ("/assets/", "/static/", "/svelte/", "/media/", "/pwa_icon")
_API = ("queue/", "upload", "heartbeat/", "cancel", "reset", "file=", "theme.css", "app_id", "info")

Next = Callable[[Request], Awaitable[Response]]


def guard(
    password: tuple[str, str] | None, local_only: bool
) -> Callable[[Request, Next], Awaitable[Response]]:
    """Return the dispatch function of a middleware.

    password: name and password that every visitor must give; None asks nobody for one. local_only: answer only requests
    that name this machine as their host. Otherwise another site could point its name to this address and read the page.
    """

    async def dispatch(request: Request, call_next: Next) -> Response:
        path = request.scope["path"]
        if local_only and not is_loopback(request.url.hostname or ""):
            return PlainTextResponse("ask for this page by the address it was started with", status_code=403)
        if password and path != _STARTING and not _knows(request, password):
            return PlainTextResponse(
                "name and password, please",
                status_code=401,
                headers={"WWW-Authenticate": 'Basic realm="stan"'},
            )
        if not is_needed(path):
            return PlainTextResponse("not here", status_code=403)
        response = await call_next(request)
        served = path.startswith(("/media/", "/gradio_api/file="))
        response.headers["Content-Security-Policy"] = FILE_POLICY if served else PAGE_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return dispatch


def is_needed(path: str) -> bool:
    """Return whether the page ever requests this path."""
    if path.startswith("/gradio_api/"):
        wanted = path.removeprefix("/gradio_api/")
        return path == _STARTING or wanted.startswith(_API) and not wanted.startswith("file=http")
    return path in ("/", *_PAGE) or path.startswith(_FOLDERS)


def _knows(request: Request, password: tuple[str, str]) -> bool:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        told = base64.b64decode(given, validate=True)
    except ValueError:
        return False
    return kind.lower() == "basic" and hmac.compare_digest(told, ":".join(password).encode())
