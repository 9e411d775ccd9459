"""Small tables and figures in; what the exported files hold, their run ids and command among it."""

import io
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stan.report import figures, formats

IDS = ["s/r/h-s0"]
CHANGES = pd.DataFrame(
    {
        "row": ["$x_{$", "down", "open"],
        "change": [5.0, -4.0, 0.5],
        "low": [2.0, -6.0, -1.0],
        "high": [8.0, -2.0, 2.0],
        "won": [10, 1, 3],
        "lost": [2, 9, 2],
    }
)


def rules(lines: list[str]) -> list[str]:
    return [line for line in lines if "rule" in line]


def test_csv_reads_back_and_names_its_runs():
    table = pd.DataFrame({"row": ["=1+1", "up"], "mean": [30.0, 35.0]})
    content = formats.csv(table, IDS, "stan ablate\nx").decode()
    back = pd.read_csv(io.StringIO(content), comment="#")
    assert list(back["mean"]) == [30.0, 35.0]
    assert back["row"][0] == "'=1+1", "no spreadsheet computes a name"
    assert content.splitlines()[-2:] == ["# regenerate: stan ablate x", "# run: s/r/h-s0"]


def test_latex_is_booktabs_with_its_origin_in_comments():
    table = pd.DataFrame({"row": ["a_b%"], "branch": [True], "top-1": [43.25], "sd": [np.nan]})
    lines = formats.latex(table, IDS, "stan ablate components").decode().splitlines()
    assert lines[:2] == ["% regenerate: stan ablate components", "% run: s/r/h-s0"]
    assert lines[2] == r"\begin{tabular}{lcrr}"
    assert r"a\_b\% & $\bullet$ & 43.3 & -- \\" in lines
    assert rules(lines) == [r"\toprule", r"\midrule", r"\bottomrule"]


def test_markdown_is_a_table_with_its_origin_in_a_comment():
    table = pd.DataFrame(
        {"row": ["a|b", "<img src=x>\n[x](https://x.y)"], "seen": [True, False], "top-1": [43.25, np.nan]}
    )
    text = formats.markdown(table, ["s/r/h-->x-s0"], "stan ablate --suite x").decode()
    assert text.splitlines() == [
        "| row | seen | top-1 |",
        "| --- | --- | --: |",
        "| a\\|b | ✓ | 43.3 |",
        "| \\<img src=x\\> \\[x\\](https:\u200b//x.y) |  | – |",
        "",
        "<!--",
        "regenerate: stan ablate --suite x",
        "run: s/r/h--&gt;x-s0",
        "-->",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(55.25, "55.3"), (-0.25, "-0.3"), (55.75, "55.8"), (0.15, "0.1"), (7, "7.0")]
)
def test_numbers_are_rounded_as_a_browser_does(value, text):
    """0.15 lies below the tie that it is printed as."""
    assert formats.one_decimal(value) == text and formats.one_decimal(value, "+").lstrip("+") == text


def test_a_tie_is_one_in_whatever_order_it_was_computed():
    values = 75.05 - 66.80, -(66.80 - 75.05), 8.25 - 1e-12
    assert {f"{value:+.1f}" for value in (*values, 8.25 + 1e-12)} == {"+8.2", "+8.3"}
    assert {formats.one_decimal(value, "+") for value in values} == {"+8.3"}
    assert formats.one_decimal(-values[0], "+") == "-8.3"


def test_numbers_that_no_honest_run_has_are_shown_all_the_same():
    shown = [formats.one_decimal(value) for value in (float("inf"), -float("inf"), 1e30, -1e308)]
    assert shown == ["inf", "-inf", f"{int(1e30)}.0", f"-{int(1e308)}.0"]
    assert formats.one_decimal(float("inf"), "+") == "+inf"


def test_an_interval_stands_behind_its_number_where_there_is_one():
    assert formats.with_interval(1.25, -0.25, 2.5, "+") == "+1.3 [-0.3, +2.5]"
    assert formats.with_interval(1.25, np.nan, np.nan) == "1.3"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles_with_booktabs_alone(tmp_path):
    columns = pd.MultiIndex.from_tuples([("", "row"), ("parts", "branch"), ("motions, top-1", "own [95 %]")])
    odd = r"\a_b%&$#{}~^"
    table = pd.DataFrame([[odd, True, "1.0 [0.5, 2.0]"], ["stan+testing", False, "--"]], columns=columns)
    head, tail = r"\documentclass{article}\usepackage{booktabs}\begin{document}", r"\end{document}"
    (tmp_path / "table.tex").write_bytes(formats.latex(table, IDS, f"stan report {odd}"))
    (tmp_path / "page.tex").write_text("\n".join((head, r"\input{table.tex}", tail)))
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert (tmp_path / "page.pdf").stat().st_size > 0


def test_groups_of_columns_span_their_rule():
    columns = pd.MultiIndex.from_tuples([("", "row"), ("motions", "own"), ("motions", "paper"), ("x", "own")])
    table = pd.DataFrame([["stan", 1.0, 2.0, 3.0]], columns=columns)
    lines = formats.latex(table, IDS, "stan report x").decode().splitlines()
    heads = r"\multicolumn{1}{c}{} & \multicolumn{2}{c}{motions} & \multicolumn{1}{c}{x} \\"
    assert rules(lines) == [
        r"\toprule",
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-4}",
        r"\midrule",
        r"\bottomrule",
    ]
    assert lines[lines.index(r"\toprule") + 1] == heads
    assert lines[-4:-2] == [r"\midrule", r"stan & 1.0 & 2.0 & 3.0 \\"]


def test_png_and_pdf_carry_run_ids_and_command_and_are_the_same_each_time():
    def figure():
        return figures.forest(formats.unmathed(CHANGES), "R@1", "baseline")

    picture = Image.open(io.BytesIO(formats.png(figure(), IDS, "stan ablate components")))
    assert picture.info["Description"] == "regenerate: stan ablate components; runs: s/r/h-s0"
    assert picture.width > 600
    document = formats.pdf(figure(), IDS, "stan ablate components")
    assert document.startswith(b"%PDF") and b"s/r/h-s0" in document
    assert document == formats.pdf(figure(), IDS, "stan ablate components")


def test_what_is_decided_is_told_without_colour():
    (axes,) = figures.forest(CHANGES, "R@1", "baseline").axes
    points = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    hollow = [line.get_markerfacecolor() == "white" for line in points]
    assert [line.get_marker() for line in points] == ["o", "D", "o"] and hollow == [False, False, True]
