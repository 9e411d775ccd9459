"""Command line and environment in; the folders and the address that pages show, and whether they may write, out."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from stan.common.servers import DEMO_ADDRESS


def roots() -> tuple[str, ...]:
    """Return the folders of runs: `--runs` (several allowed), else STAN_RUNS (separated like PATH), else `runs`."""
    return tuple(_arguments().runs or os.environ.get("STAN_RUNS", "runs").split(os.pathsep))


def worlds() -> Path:
    """Return the folder of rendered worlds, whose videos pages show: `--worlds`, else STAN_WORLDS, else `worlds`."""
    return Path(_arguments().worlds or os.environ.get("STAN_WORLDS", "worlds"))


def libraries() -> tuple[str, ...]:
    """Return the folders of libraries whose indexing the *Live* page shows: `--library` (several allowed)."""
    return tuple(_arguments().library)


def demo() -> str:
    """Return the demo's address for links: `--demo`, else the address that `stan demo` tries first."""
    return _arguments().demo


def writable() -> bool:
    """Tell whether pages may change marks, views and the trash: not with `--read-only`, and not in an archive."""
    return not _arguments().read_only and not Path(roots()[0]).is_file()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="streamlit run dashboard/app.py --")
    parser.add_argument("--runs", action="append", help="folder of runs; several allowed")
    parser.add_argument("--library", action="append", default=[], help="library whose indexing is shown")
    parser.add_argument("--worlds", help="folder of rendered worlds")
    parser.add_argument("--read-only", action="store_true", help="offer nothing that writes")
    parser.add_argument("--demo", default=DEMO_ADDRESS, help="address of the demo that links lead to")
    return parser.parse_args(sys.argv[1:])
