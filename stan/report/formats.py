"""A table or figure in; CSV, Markdown, booktabs LaTeX, PNG or PDF out, each with its run ids and command inside."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import groupby

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

_OF_ANY_FLOAT = Context(prec=320)
"""Digits enough for the largest float: runs from elsewhere may hold any number, and one must not end a page."""
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&$])")
_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def csv(table: pd.DataFrame, ids: Sequence[str], command: str) -> bytes:
    """Return the table as CSV. Its last lines, marked by `#`, name the command and the runs that it was made from."""
    notes = [f"# regenerate: {_one_line(command)}", *(f"# run: {_one_line(run)}" for run in ids)]
    safe = table.map(_no_formula)
    return (safe.to_csv(index=False) + "\n".join(notes) + "\n").encode()


def _no_formula(value: object) -> object:
    """Quote text that begins like a formula: names come from folders, and a spreadsheet would compute them."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "@", "\t")) else value


def markdown(table: pd.DataFrame, ids: Sequence[str], command: str) -> bytes:
    """Return the table as Markdown, with numbers to one decimal. A comment below it names the command and the runs.

    Names come from folders: what would be markup in them is escaped.
    """
    rules = ["--:" if _alignment(table[name]) == "r" else "---" for name in table]
    rows = [
        map(_md_text, table),
        rules,
        *(map(_md_text, map(cell, row)) for row in table.itertuples(index=False, name=None)),
    ]
    origin = [f"regenerate: {_one_line(command)}", *(f"run: {_one_line(run)}" for run in ids)]
    comment = "\n".join(["<!--", *(line.replace(">", "&gt;") for line in origin), "-->"])
    return ("\n".join(f"| {' | '.join(row)} |" for row in rows) + f"\n\n{comment}\n").encode()


def _md_text(value) -> str:
    return _MARKUP.sub(r"\\\1", _one_line(value).replace("://", ":\u200b//"))


def cell(value) -> str:
    """Return a table's value as text: a dash for what is missing, a tick for what is true, one decimal for a float."""
    if pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "✓" if value else ""
    return one_decimal(value) if isinstance(value, float) else str(value)


def latex(table: pd.DataFrame, ids: Sequence[str], command: str) -> bytes:
    """Return the table for `\\usepackage{booktabs}`, with numbers to one decimal and command and run ids as comments.

    Columns with two levels get headers that span their group, each above a rule of its own.
    """
    lines = [
        f"% regenerate: {_one_line(command)}",
        *(f"% run: {_one_line(run)}" for run in ids),
        rf"\begin{{tabular}}{{{''.join(_alignment(table[name]) for name in table)}}}",
        r"\toprule",
        *(_tex_groups(table.columns) if table.columns.nlevels > 1 else []),
        _tex_row(table.columns.get_level_values(-1)),
        r"\midrule",
        *(_tex_row(values) for values in table.itertuples(index=False, name=None)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _alignment(column: pd.Series) -> str:
    """Return the column's alignment: ticks in the middle, numbers to the right, text to the left."""
    if pd.api.types.is_bool_dtype(column):
        return "c"
    return "r" if pd.api.types.is_numeric_dtype(column) else "l"


def _tex_groups(columns: pd.Index) -> list[str]:
    cells, rules, place = [], [], 1
    for name, group in groupby(columns.get_level_values(0)):
        width = len(list(group))
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{_tex_cell(name)}}}")
        if name:
            rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _tex_row(values) -> str:
    return " & ".join(map(_tex_cell, values)) + r" \\"


def _tex_cell(value) -> str:
    if pd.isna(value):
        return "--"
    if isinstance(value, bool):
        return r"$\bullet$" if value else ""  # a tick would need a package of symbols
    text = one_decimal(value) if isinstance(value, float) else _one_line(value)
    return "".join(_TEX.get(character, character) for character in text)


def one_decimal(value: float, sign: str = "") -> str:
    """Return the number as tables and texts show it. sign: "+" for a change.

    Ties are rounded away from zero, as in the tables that a browser draws. Ties are common: of 400 queries, every other
    share ends in one. What lies nearer to one than a billionth is one: sums and differences miss it in their last
    digit, differently in each order, and one change must not read in two ways.
    """
    if math.isinf(value):
        return f"{value:{sign}}"
    return f"{Decimal(round(float(value), 9)).quantize(Decimal('0.1'), ROUND_HALF_UP, _OF_ANY_FLOAT):{sign}}"


def with_interval(value: float, low: float, high: float, sign: str = "") -> str:
    """Return the form 52.3 [50.1, 54.4], or only the number if it has no interval."""
    shown, *ends = (one_decimal(number, sign) for number in (value, low, high))
    return shown if pd.isna(low) else f"{shown} [{', '.join(ends)}]"


def unmathed(table: pd.DataFrame) -> pd.DataFrame:
    """Escape `$` in the rows' names, which come from folders, so that matplotlib does not read them as mathematics."""
    return table.assign(row=[_one_line(row).replace("$", r"\$") for row in table["row"]])


def png(figure: Figure, ids: Sequence[str], command: str) -> bytes:
    """Return the figure as PNG at 200 dpi, with run ids and command in its `Description`."""
    return _saved(figure, "png", {"Description": _origin(ids, command)})


def pdf(figure: Figure, ids: Sequence[str], command: str) -> bytes:
    """Return the figure as PDF, with run ids and command in its `Subject`.

    It has no date, so equal figures are equal files.
    """
    return _saved(figure, "pdf", {"Subject": _origin(ids, command), "CreationDate": None})


def _origin(ids: Sequence[str], command: str) -> str:
    return f"regenerate: {_one_line(command)}; runs: {', '.join(map(_one_line, ids))}"


def _saved(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format=kind, metadata=metadata, dpi=200)
    plt.close(figure)
    return target.getvalue()
