"""The body of a request in; a temporary file of it, which is gone with the request, out."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request

PICTURES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/bmp": ".bmp"}
VIDEO = "application/octet-stream"
"""A video, whatever its kind: what a file is, its content tells."""


def body_of(kinds: list[str]) -> dict[str, Any]:
    """Return how OpenAPI describes a body of bytes of these media types."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


@asynccontextmanager
async def uploaded(request: Request, kinds: list[str]) -> AsyncGenerator[Path]:
    """Yield a file with the request's body. Raises ValueError for another media type than `kinds`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds and not (kind.startswith("video/") and VIDEO in kinds):
        raise ValueError(f"the content type {kind!r} is none of {', '.join([*kinds, 'video/*'])}")
    with tempfile.TemporaryDirectory(prefix="stan-upload-") as folder:
        path = Path(folder, "upload" + PICTURES.get(kind, ".mp4"))
        with path.open("wb") as file:
            async for part in request.stream():
                file.write(part)
        yield path
