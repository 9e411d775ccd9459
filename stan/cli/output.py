"""Results in; one JSON document or readable text on stdout, and everything else on stderr, out."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from stan.common.json_values import plain

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Runs = Annotated[Path, typer.Option(help="Folder of runs.", envvar="STAN_RUNS")]
Worlds = Annotated[Path, typer.Option(help="Folder of rendered worlds.", envvar="STAN_WORLDS")]

RUNS, WORLDS = Path("runs"), Path("worlds")
"""Default folders of runs and of rendered worlds."""


def emit(document: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """Print `document` as JSON, or as the text that `text` makes of it."""
    document = plain(document)
    print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) if as_json else text(document))


def say(text: str) -> None:
    """Print one message for people to stderr, apart from the output."""
    print(text, file=sys.stderr)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Send everything that is printed meanwhile, by any library, to stderr, because stdout is for the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Return rows as aligned columns under their names, with numbers to the right."""
    if not rows:
        return "nothing found"
    columns = list(columns or rows[0])
    cells = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )


def lines(values: Mapping[str, Any]) -> str:
    """Return one `name  value` per line, with nested names dotted, and a line for each sentence of a list of them."""
    from stan.results.record import flatten

    told = {
        name: _listed(value) if isinstance(value, list | tuple) else value for name, value in values.items()
    }
    flat = {name: _setting(value) for name, value in flatten(told).items()}
    width = max(map(len, flat), default=0)
    indented = "\n" + " " * (width + 2)
    return "\n".join(f"{name.ljust(width)}  {value}".replace("\n", indented) for name, value in flat.items())


def _listed(values: Sequence[Any]) -> str:
    items = [str(value) for value in values]
    return ("\n" if any(" " in item for item in items) else ", ").join(items)


def _setting(value: Any) -> str:
    """Return a setting, which needs more digits than a measurement: .999 isn't 1."""
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"
    return str(value)
