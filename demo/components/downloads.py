"""Results or moments in; links to them as files, which the page itself holds, out: no server makes or keeps them."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from stan.library.edl import edl
from stan.library.kept import Moment

COLUMNS = ("rank", "id", "name", "score", "percentile", "start", "end", "duration")


def of_results(results: Sequence[dict[str, Any]], document: dict[str, Any]) -> str:
    """Return links to the results as JSON, CSV and EDL, without paths of this machine."""
    public = {
        **document,
        "results": [
            {key: value for key, value in result.items() if key not in ("video", "folder")}
            for result in results
        ],
    }
    ranked = [{**result, "rank": rank} for rank, result in enumerate(results, 1)]
    return (
        link("results.json", "application/json", json.dumps(public, indent=1, ensure_ascii=False))
        + link("results.csv", "text/csv", table(ranked, COLUMNS))
        + _cuts("results.edl", results, document["query"])
    )


def of_moments(moments: Sequence[Moment], title: str) -> str:
    """Return links to the moments as CSV and EDL."""
    rows = [asdict(moment) for moment in moments]
    return link("moments.csv", "text/csv", table(rows, tuple(rows[0]))) + _cuts("moments.edl", rows, title)


def _cuts(name: str, moments: Sequence[dict[str, Any]], title: str) -> str:
    """Return a link to an edit decision list; none for moments that such a list cannot hold."""
    try:
        return link(name, "text/plain", edl(moments, title))
    except ValueError:
        return ""


def table(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV with a header. Texts that a spreadsheet would take for a formula get an apostrophe."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def link(name: str, kind: str, text: str) -> str:
    content = base64.b64encode(text.encode()).decode()
    shown = name.rpartition(".")[2].upper()
    return f'<a download="{name}" href="data:{kind};charset=utf-8;base64,{content}">{shown}</a> '
