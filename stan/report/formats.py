"""A table or figure in, files out: CSV, booktabs LaTeX, PNG, PDF, each with its run ids and command inside."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def csv(table: pd.DataFrame, ids: Sequence[str], command: str) -> bytes:
    """The table as CSV; its last lines, marked by `#`, name the command and the runs it was made from."""
    notes = [f"# regenerate: {_one_line(command)}", *(f"# run: {_one_line(run)}" for run in ids)]
    safe = table.map(_no_formula)
    return (safe.to_csv(index=False) + "\n".join(notes) + "\n").encode()


def _no_formula(value: object) -> object:
    """Names come from folders: a spreadsheet would compute one that begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "@", "\t")) else value


def latex(table: pd.DataFrame, ids: Sequence[str], command: str) -> bytes:
    """The table for `\\usepackage{booktabs}`; numbers to one decimal, command and run ids as comments.

    Columns of two levels become headers that span their group, each over a rule of its own.
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
    """Marks in the middle, numbers to the right."""
    if pd.api.types.is_bool_dtype(column):
        return "c"
    return "r" if pd.api.types.is_numeric_dtype(column) else "l"


def _tex_groups(columns: pd.MultiIndex) -> list[str]:
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
    """The number as tables and texts show it; sign: "+" for a change.

    A tie goes away from zero, as in the tables that a browser draws: of 400 queries every other share ends in one.
    """
    return f"{Decimal(float(value)).quantize(Decimal('0.1'), ROUND_HALF_UP):{sign}}"


def with_interval(value: float, low: float, high: float, sign: str = "") -> str:
    """52.3 [50.1, 54.4]; the number alone where it has no interval."""
    value, *ends = (one_decimal(number, sign) for number in (value, low, high))
    return value if pd.isna(low) else f"{value} [{', '.join(ends)}]"


def unmathed(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose rows' names, which come from folders, start none of matplotlib's mathematics."""
    return table.assign(row=[_one_line(row).replace("$", r"\$") for row in table["row"]])


def png(figure: Figure, ids: Sequence[str], command: str) -> bytes:
    """PNG at 200 dpi; run ids and command stand in its `Description`."""
    return _saved(figure, "png", {"Description": _origin(ids, command)})


def pdf(figure: Figure, ids: Sequence[str], command: str) -> bytes:
    """PDF; run ids and command stand in its `Subject`, and no date, so that equal figures are equal files."""
    return _saved(figure, "pdf", {"Subject": _origin(ids, command), "CreationDate": None})


def _origin(ids: Sequence[str], command: str) -> str:
    return f"regenerate: {_one_line(command)}; runs: {', '.join(map(_one_line, ids))}"


def _saved(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format=kind, metadata=metadata, dpi=200)
    plt.close(figure)
    return target.getvalue()
