"""Runs and a library in, the dashboard and the demo in a browser out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stan.cli.output import RUNS, WORLDS, Runs, Worlds, say

Library = Annotated[str, typer.Option(help="The library that the demo searches: a folder, or an address.")]
Port = Annotated[int | None, typer.Option(help="Port; a free one by default.", min=1, max=65535)]

_LIBRARY = "libraries/world"


def dashboard(
    runs: Runs = RUNS,
    worlds: Worlds = WORLDS,
    port: Port = None,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Offer no tags, notes, saved views or trash: nothing that writes."),
    ] = False,
) -> None:
    """Show runs, ablations, the printed benchmarks and speed in a browser, until Ctrl-C."""
    from stan.common import servers

    servers.serve([servers.dashboard_command([runs], port, worlds=worlds, read_only=read_only)], say)


def demo(
    library: Annotated[
        list[str] | None, typer.Option(help="A library: a folder, or an address; repeat it for several.")
    ] = None,
    allow_folders: Annotated[
        list[Path] | None,
        typer.Option(help="A folder that visitors may index, with all below it; repeat it for several."),
    ] = None,
    api: Annotated[
        list[str] | None,
        typer.Option(help="Address of a running stan api, in place of --library; repeat it for several."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A text file with the token for the services of --api.")
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Offer no marks, collections or indexing: nothing that writes."),
    ] = False,
    port: Port = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; beyond this machine it needs STAN_DEMO_AUTH=NAME:PASSWORD."),
    ] = "127.0.0.1",
    without_password: Annotated[
        bool, typer.Option("--without-password", help="Let in whoever reaches the address.")
    ] = False,
) -> None:
    """Search, recognise and explain videos in a browser, until Ctrl-C."""
    from stan.common import servers

    if api and (library or allow_folders):
        raise ValueError(
            "--api searches what services hold: leave out --library and --allow-folders, or --api"
        )
    if token_file and not api:
        raise ValueError("--token-file is for the services of --api: give both, or neither")
    page = servers.demo_command(
        [] if api else library or [_LIBRARY],
        port,
        allow_folders or [],
        host,
        without_password,
        services=api or [],
        token_file=token_file,
        read_only=read_only,
    )
    servers.serve([page], say)


def serve(library: Library = _LIBRARY, runs: Runs = RUNS, worlds: Worlds = WORLDS) -> None:
    """Serve dashboard and demo together, until Ctrl-C."""
    from stan.common import servers

    demo = servers.demo_command([library])
    servers.serve([servers.dashboard_command([runs], demo=demo.address, worlds=worlds), demo], say)
