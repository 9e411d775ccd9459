"""A table or figure in, files out: CSV, booktabs LaTeX, PNG, PDF, each with its run ids and command inside."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stan import figures

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
    """The table for `\\usepackage{booktabs}`; numbers to one decimal, command and run ids as comments."""
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table]
    lines = [
        f"% regenerate: {_one_line(command)}",
        *(f"% run: {_one_line(run)}" for run in ids),
        rf"\begin{{tabular}}{{{''.join('r' if number else 'l' for number in numeric)}}}",
        r"\toprule",
        _tex_row(table.columns),
        r"\midrule",
        *(_tex_row(values) for values in table.itertuples(index=False)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _tex_row(values) -> str:
    return " & ".join(map(_tex_cell, values)) + r" \\"


def _tex_cell(value) -> str:
    if pd.isna(value):
        return "--"
    if isinstance(value, bool):
        return r"$\checkmark$" if value else ""
    text = f"{value:.1f}" if isinstance(value, float) else _one_line(value)
    return "".join(_TEX.get(character, character) for character in text)


def forest(changes: pd.DataFrame, baseline: str, metric: str) -> Figure:
    """`stan.figures.forest` of names that come from folders: no dollar sign starts matplotlib's mathematics."""
    named = changes.assign(row=[_unmathed(row) for row in changes["row"]])
    figure = figures.forest(named, _unmathed(metric), _unmathed(baseline))
    plt.close(figure)  # forgotten by pyplot, still there to be saved
    return figure


def _unmathed(text: str) -> str:
    return _one_line(text).replace("$", r"\$")


def png(figure: Figure, ids: Sequence[str], command: str) -> bytes:
    """PNG at 200 dpi; run ids and command stand in its `Description`."""
    return _saved(figure, "png", {"Description": _origin(ids, command)})


def pdf(figure: Figure, ids: Sequence[str], command: str) -> bytes:
    """PDF; run ids and command stand in its `Subject`."""
    return _saved(figure, "pdf", {"Subject": _origin(ids, command)})


def _origin(ids: Sequence[str], command: str) -> str:
    return f"regenerate: {_one_line(command)}; runs: {', '.join(map(_one_line, ids))}"


def _saved(figure: Figure, kind: str, metadata: dict[str, str]) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format=kind, metadata=metadata, dpi=200)
    return target.getvalue()
