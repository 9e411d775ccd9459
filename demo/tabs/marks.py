"""What visitors marked as right or wrong in; how often the library's search finds it, out."""

from __future__ import annotations

import html

import gradio as gr

from demo.components import downloads
from demo.components.page import MODEL, bar, failure, message, table
from demo.languages import counted, label, translated
from demo.service.calls import Calls
from stan.library.own_recall import RANKS, OwnRecall

EMPTY = (
    "Mark what a search finds as right (✓) or wrong (✗), then press <b>Measure</b>: every query with a right mark is "
    "searched for again, and the rank of its best right moment counts. All who use this library share the marks."
)
COUNTS = (
    "The rank is that of the first result that shares time with a moment marked as right; R@K is the share of queries "
    "with a rank of K or better, and the whisker spans its 95 % interval over these queries. They are what was asked "
    "and judged here, and only what a search showed can be marked: compare models and settings with it, not other "
    "people's benchmarks."
)
SHOWN = 200
"""Number of queries listed on the page; the download holds them all."""


def tab(calls: Calls, library: gr.components.Component) -> None:
    """Add the tab's components."""
    status = gr.HTML(message(label(EMPTY)), elem_id="marks-status")
    button = gr.Button(label("Measure"), variant="primary", min_width=130)
    measured = gr.HTML("", elem_id="recall")
    button.click(
        lambda library: show(calls, library),
        library,
        [status, measured],
        api_name=False,
        show_progress_on=status,
        **MODEL,
    )


def show(calls: Calls, library: str) -> list[str]:
    """Return a line and the recall; for errors that the user can fix, a message replaces the line."""
    try:
        found = calls.kept.recall(library)
    except ValueError as error:
        return [failure(error), ""]
    line = counted(
        len(found.ranks),
        "<b>N = {count}</b> query with a right mark.",
        "<b>N = {count}</b> queries with a right mark.",
    )
    told = f"{line} {_left_out(found)} {_file(found)}"
    return [message(told, "done"), f"{_bars(found)}<p class='facts'>{translated(COUNTS)}</p>{_table(found)}"]


def _left_out(found: OwnRecall) -> str:
    wrong = counted(
        found.only_wrong,
        "{count} query with wrong marks only",
        "{count} queries with wrong marks only",
    )
    gone = counted(
        found.gone,
        "{count} right mark of a video that the library no longer has",
        "{count} right marks of videos that the library no longer has",
    )
    parts = [told for count, told in ((found.only_wrong, wrong), (found.gone, gone)) if count]
    return translated("Left out: {what}.", what="; ".join(parts)) if parts else ""


def _bars(found: OwnRecall) -> str:
    rows = "".join(
        bar(
            f"R@{k}",
            value / 100,
            f"{value:.1f}&nbsp;% <small>({low:.1f}–{high:.1f})</small>",
            "",
            low / 100,
            high / 100,
        )
        for k, (value, low, high) in found.recall.items()
    )
    return f"<div class='bars wide'>{rows}</div>"


def _table(found: OwnRecall) -> str:
    rows = "".join(
        f"<tr><td><bdi>{html.escape(query)}</bdi></td><td>{_shown(rank)}</td></tr>"
        for query, rank in list(found.ranks.items())[:SHOWN]
    )
    count = len(found.ranks) - SHOWN
    more = f"<p class='facts'>{translated('and {count} more', count=count)}</p>" if count > 0 else ""
    return table(translated("queries and ranks"), rows, (translated("query"), translated("rank"))) + more


def _file(found: OwnRecall) -> str:
    rows = [{"query": query, "rank": rank or f"beyond {max(RANKS)}"} for query, rank in found.ranks.items()]
    return downloads.link("ranks.csv", "text/csv", downloads.table(rows, ("query", "rank")))


def _shown(rank: int | None) -> str:
    return translated("beyond {rank}", rank=max(RANKS)) if rank is None else str(rank)
