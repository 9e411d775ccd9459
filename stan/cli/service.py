"""A library in; a service over it, for programs by HTTP or for editors and agents by MCP, out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from stan.cli.output import RUNS, Runs, quiet, say

Library = Annotated[str, typer.Option(help="Folder of the library, or an address such as s3://BUCKET/NAME.")]
Model = Annotated[str | None, typer.Option(help="The library's own by default.")]
Folders = Annotated[
    list[Path] | None,
    typer.Option(help="A folder that may be indexed, with all below it; repeat it for several."),
]

_LIBRARY = "libraries/own"


def api(
    library: Library = _LIBRARY,
    model: Model = None,
    allow_folders: Folders = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine it needs --token-file.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="8600 or a free one by default.", min=1, max=65535)] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A text file with a token per line; every caller must give one.")
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Also show the videos: strips of pictures, and small copies without sound."
        ),
    ] = False,
    workers: Annotated[int, typer.Option(help="Searches that run at the same time.", min=1)] = 2,
    waiting: Annotated[
        int, typer.Option(help="Calls of either kind that may wait; further ones are refused (429).", min=0)
    ] = 64,
    seconds: Annotated[
        float, typer.Option(help="For a search; longer ones are given up (504).", min=0.1)
    ] = 30.0,
    slow_seconds: Annotated[
        float, typer.Option(help="For a call that reads a video or runs the whole model.", min=0.1)
    ] = 120.0,
    upload_mb: Annotated[int, typer.Option(help="Largest upload, in MiB; larger ones: 413.", min=1)] = 200,
    per_minute: Annotated[
        int, typer.Option(help="Calls that a token, or without tokens an address, may make.", min=1)
    ] = 6000,
) -> None:
    """Serve a library over HTTP, until Ctrl-C: search, recognise, explain, index (/openapi.json describes it)."""
    with quiet(), tempfile.TemporaryDirectory(prefix="stan-api-") as elsewhere:
        from stan.service import opening, server
        from stan.service.access import Tokens
        from stan.service.calls import LibraryCalls
        from stan.service.limits import Limits

        limits = Limits(
            workers=workers,
            waiting=waiting,
            seconds=seconds,
            slow_seconds=slow_seconds,
            upload=upload_mb << 20,
            per_minute=per_minute,
        )
        tokens = Tokens.read(token_file) if token_file else None
        roots = opening.roots_of(allow_folders or [])
        server.check(host, tokens)
        videos = opening.loaded(opening.found(library, model, bool(allow_folders)))
        shown = opening.pictures_of(videos, Path(elsewhere)) if pictures else None
        calls = LibraryCalls(videos, roots, shown)
        server.serve(calls, limits, tokens, host, port, say)


def mcp(
    library: Library = _LIBRARY,
    model: Model = None,
    runs: Runs = RUNS,
    write: Annotated[
        bool, typer.Option("--write", help="Also offer `index`, for the folders of --allow-folders.")
    ] = False,
    allow_folders: Folders = None,
) -> None:
    """Offer a library and runs to an editor or agent as tools, over stdin and stdout (Model Context Protocol)."""
    from functools import cache

    from stan.service.tools import tools

    with quiet():
        from stan.service import opening
        from stan.service.calls import LibraryCalls

        if write != bool(allow_folders):
            raise ValueError("--write indexes the folders of --allow-folders: give both, or neither")
        roots, videos = opening.roots_of(allow_folders or []), opening.found(library, model, write)

        @cache
        def calls() -> LibraryCalls:
            return LibraryCalls(opening.loaded(videos), roots)

    tools(calls, runs, write).run("stdio")
