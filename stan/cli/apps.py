"""Runs and a library in: the dashboard and the demo in a browser, and what this installation has and lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, Runs, Worlds, emit, say

Library = Annotated[str, typer.Option(help="The library that the demo searches: a folder, or an address.")]
Port = Annotated[int | None, typer.Option(help="Port; a free one by default.", min=1, max=65535)]

_RUNS = Path("runs")
_WORLDS = Path("worlds")
_LIBRARY = "libraries/world"


def dashboard(runs: Runs = _RUNS, worlds: Worlds = _WORLDS, port: Port = None) -> None:
    """Show runs, ablations, the printed benchmarks and speed in a browser, until Ctrl-C."""
    from stan.common import servers

    servers.serve([servers.dashboard_command([runs], port, worlds=worlds)], say)


def demo(
    library: Annotated[
        list[str] | None, typer.Option(help="A library: a folder, or an address; repeat it for several.")
    ] = None,
    allow_folders: Annotated[
        list[Path] | None,
        typer.Option(help="A folder that visitors may index, with all below it; repeat it for several."),
    ] = None,
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

    page = servers.demo_command(library or [_LIBRARY], port, allow_folders or [], host, without_password)
    servers.serve([page], say)


def serve(library: Library = _LIBRARY, runs: Runs = _RUNS, worlds: Worlds = _WORLDS) -> None:
    """Serve dashboard and demo together, until Ctrl-C."""
    from stan.common import servers

    demo = servers.demo_command([library])
    servers.serve([servers.dashboard_command([runs], demo=demo.address, worlds=worlds), demo], say)


def doctor(as_json: Json = False) -> int:
    """Tell what is installed, which devices, decoders and weights are at hand, and what is missing."""
    from stan.cli import doctor as installation

    report = installation.report(installation.checks())
    emit(report, as_json, _diagnosis)
    return 0 if report["ok"] else 1


def _diagnosis(report: dict[str, Any]) -> str:
    return "\n".join(_finding(check) for check in report["checks"])


def _finding(check: dict[str, Any]) -> str:
    mark = "ok  " if check["ok"] else "MISS" if check["needed"] else "-   "
    remedy = f"; {check['remedy']}" if check["remedy"] else ""
    return f"{mark} {check['name']}: {check['detail']}{remedy}"
