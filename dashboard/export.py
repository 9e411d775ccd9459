"""A shown table or figure in, bytes to keep out: CSV, booktabs LaTeX, PNG and PDF, each with its run ids and command inside."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from dashboard import palette
from dashboard.charts import verdict

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}
_VERDICT_COLOURS = {"better": palette.BETTER, "worse": palette.WORSE, "undecided": palette.UNDECIDED}


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def csv(table: pd.DataFrame, ids: Sequence[str], command: str) -> bytes:
    """The table as CSV; its last lines, marked by `#`, name the command and the runs it was made from."""
    notes = [f"# regenerate: {_one_line(command)}", *(f"# run: {_one_line(run)}" for run in ids)]
    return (table.to_csv(index=False) + "\n".join(notes) + "\n").encode()


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
    if isinstance(value, bool):
        return r"$\checkmark$" if value else ""
    if isinstance(value, float):
        return "--" if pd.isna(value) else f"{value:.1f}"
    text = "--" if value is None else _one_line(value)
    return "".join(_TEX.get(character, character) for character in text)


def forest(changes: pd.DataFrame, baseline: str, metric: str) -> Figure:
    """The forest plot for print. `changes`: row, change, low, high in points of `metric`."""
    figure = Figure(figsize=(6.0, 0.9 + 0.32 * len(changes)), layout="constrained")
    axes = figure.subplots()
    for place, change in enumerate(changes.itertuples()):
        colour = _VERDICT_COLOURS[verdict(change.low, change.high)]
        axes.plot([change.low, change.high], [place, place], color=colour, linewidth=1.6)
        axes.plot([change.change], [place], marker="o", color=colour, markersize=5)
    axes.axvline(0, color="0.6", linewidth=0.8, linestyle=":")
    return _finish(
        axes, changes["row"], f"change of {metric} against {baseline}, points (paired 95 % interval)"
    )


def rows(summary: pd.DataFrame, metric: str) -> Figure:
    """Means with intervals for print. `summary`: row, mean, low, high (percent)."""
    figure = Figure(figsize=(6.0, 0.9 + 0.32 * len(summary)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(summary.itertuples()):
        axes.plot([row.low, row.high], [place, place], color=palette.BLUE, linewidth=1.6)
        axes.plot([row.mean], [place], marker="o", color=palette.BLUE, markersize=5)
    return _finish(axes, summary["row"], f"{metric}, percent (95 % interval)")


def _finish(axes, names: pd.Series, x_title: str) -> Figure:
    axes.set_yticks(range(len(names)), [_unmathed(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(_unmathed(x_title), fontsize=9)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes.figure


def _unmathed(text: str) -> str:
    """Names come from folders: a dollar sign must not start matplotlib's mathematics."""
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
