"""A table and its figures in; one HTML file that shows them anywhere, without a server, network or script, out."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stan.report.formats import cell

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #8A94A366; text-align: left; white-space: nowrap; }}
.number {{ text-align: right; }}
figure {{ margin: 2rem 0; }}
img {{ max-width: 100%; background: white; }}
code {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
{said}
<div class="wide"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
{figures}
<details><summary>Where this is from</summary>
<p><code>{command}</code></p>
<ul>
{runs}
</ul>
</details>
</body>
</html>
"""


def page(
    title: str,
    said: Sequence[str],
    table: pd.DataFrame,
    figures: Mapping[str, Figure],
    ids: Sequence[str],
    command: str,
) -> bytes:
    """Return the HTML file. said: paragraphs below the title. figures: by their captions.

    Numbers have one decimal, as in the other files. Run ids and command stand at the end. The file may run no script
    and load nothing, and whatever is in names is shown as text. Equal content gives equal bytes.
    """
    numbers = [table[name].dtype.kind in "iuf" for name in table]
    cells = table.itertuples(index=False, name=None)
    return _PAGE.format(
        title=escape(title),
        said="\n".join(f"<p>{escape(words)}</p>" for words in said),
        head=_row("th", map(str, table), numbers),
        rows="\n".join(f"<tr>{_row('td', map(cell, row), numbers)}</tr>" for row in cells),
        figures="\n".join(_figure(caption, figure) for caption, figure in figures.items()),
        command=escape(command),
        runs="\n".join(f"<li><code>{escape(run)}</code></li>" for run in ids),
    ).encode()


def _row(kind: str, texts, numbers: Sequence[bool]) -> str:
    classes = (' class="number"' if number else "" for number in numbers)
    return "".join(f"<{kind}{of}>{escape(text)}</{kind}>" for text, of in zip(texts, classes, strict=True))


def _figure(caption: str, figure: Figure) -> str:
    """Return the figure as a picture: inside an image, nothing that is in its names can run or load."""
    target = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "stan"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
    plt.close(figure)
    data = base64.b64encode(target.getvalue()).decode()
    words = escape(caption)
    picture = f'<img src="data:image/svg+xml;base64,{data}" alt="{words}">'
    return f"<figure>{picture}<figcaption>{words}</figcaption></figure>"
