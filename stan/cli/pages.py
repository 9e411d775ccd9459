"""Runs and a library in: the dashboard and the demo in a browser, and what this installation has and lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, Runs, emit, say

Library = Annotated[Path, typer.Option(help="Folder of the library that the demo searches.")]
Port = Annotated[int | None, typer.Option(help="Port; a free one by default.", min=1, max=65535)]

_RUNS = Path("runs")
_LIBRARY = Path("libraries/world")


def dashboard(runs: Runs = _RUNS, port: Port = None) -> None:
    """Show runs, ablations and the printed benchmarks in a browser, until Ctrl-C."""
    from stan import serve as servers

    servers.serve([servers.dashboard_command([runs], port)], say)


def demo(library: Library = _LIBRARY, port: Port = None) -> None:
    """Search, recognise and explain videos in a browser, until Ctrl-C."""
    from stan import serve as servers

    servers.serve([servers.demo_command(library, port)], say)


def serve(library: Library = _LIBRARY, runs: Runs = _RUNS) -> None:
    """Serve dashboard and demo together, until Ctrl-C."""
    from stan import serve as servers

    servers.serve([servers.dashboard_command([runs]), servers.demo_command(library)], say)


def doctor(as_json: Json = False) -> int:
    """Tell what is installed, which devices, decoders and weights are at hand, and what is missing."""
    from stan import doctor as installation

    report = installation.report(installation.checks())
    emit(report, as_json, _diagnosis)
    return 0 if report["ok"] else 1


def _diagnosis(report: dict[str, Any]) -> str:
    return "\n".join(_finding(check) for check in report["checks"])


def _finding(check: dict[str, Any]) -> str:
    mark = "ok  " if check["ok"] else "MISS" if check["needed"] else "-   "
    remedy = f"; {check['remedy']}" if check["remedy"] else ""
    return f"{mark} {check['name']}: {check['detail']}{remedy}"
