"""A query and two libraries, each with its model, in; the results of both beside each other out."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.components.page import EXAMPLE, MODEL, empty_query, failure, message, took
from demo.languages import label, translated
from demo.service.calls import Calls
from demo.service.search_request import LONGEST_QUERY, SearchRequest

if TYPE_CHECKING:
    from stan.library import Results

TOP = 8
"""Number of results of each library."""
EMPTY = (
    "Two libraries of the same videos, indexed by two models, answer one query: what one finds and the other does not "
    "stands out."
)


def tab(calls: Calls) -> None:
    """Add the tab's components. The page needs two libraries or more."""
    first, second, *_ = calls.libraries
    with gr.Row():
        query = gr.Textbox(
            label=label("What should both find?"),
            placeholder=EXAMPLE,
            max_length=LONGEST_QUERY,
            scale=3,
            min_width=220,
        )
        left = gr.Dropdown(calls.libraries, value=first, label=label("Left"), min_width=130)
        right = gr.Dropdown(calls.libraries, value=second, label=label("Right"), min_width=130)
        button = gr.Button(label("Compare"), variant="primary", min_width=130, elem_classes="go")
    status = gr.HTML(message(label(EMPTY)), elem_id="both-status")
    both = gr.HTML("", elem_id="both")
    for trigger in (button.click, query.submit):
        trigger(
            lambda *asked: show(calls, *asked),
            [query, left, right],
            [status, both],
            api_name=False,
            show_progress_on=status,
            **MODEL,
        )


def show(calls: Calls, query: str, left: str, right: str) -> list[str]:
    """Return a line and the results of both libraries; an error that the user can fix replaces the line."""
    if not query.strip():
        return [empty_query(), ""]
    names = (left, right)
    try:
        found = [calls.search(SearchRequest.of({"library": name, "q": query, "top": TOP})) for name in names]
    except ValueError as error:
        return [failure(error), ""]
    ranks = [{result["id"]: rank for rank, result in enumerate(one, 1)} for one in found]
    shared = len(ranks[0].keys() & ranks[1].keys())
    told = translated(
        "{shared} of the first {top} found by both, for {query}",
        shared=shared,
        top=TOP,
        query=f"<b>{html.escape(query)}</b>",
    )
    columns = (_column(*one) for one in zip(names, found, reversed(names), reversed(ranks), strict=True))
    return [message(told, "done"), f'<div class="both">{"".join(columns)}</div>']


def _column(name: str, found: Results, other: str, ranks: dict[str, int]) -> str:
    rows = "".join(_row(rank, result, other, ranks.get(result["id"])) for rank, result in enumerate(found, 1))
    told = translated("<b>No good match</b>: these are the nearest.")
    no_match = f"<p class='facts'>{told}</p>" if found.no_match else ""
    return (
        f'<section aria-label="{html.escape(name)}"><h3><bdi>{html.escape(name)}</bdi></h3>{no_match}'
        f'<ol class="moments">{rows}</ol><p class="facts">{took(found.ms)}</p></section>'
    )


def _row(rank: int, result: dict[str, Any], other: str, rank_there: int | None) -> str:
    library = f"<bdi>{html.escape(other)}</bdi>"
    there = (
        translated("rank {rank} in {library}", rank=rank_there, library=library)
        if rank_there
        else translated("not among the first {top} in {library}", top=TOP, library=library)
    )
    score = translated("score {score}", score=f"{result['score']:.3f}")
    return (
        f'<li class="{"" if rank_there else "alone"}"><div class="picture">'
        f'<img loading="lazy" src="media/{html.escape(result["id"])}.webp" alt=""></div>'
        f'<div class="what">{rank}. <bdi>{html.escape(result["name"])}</bdi><br>'
        f"{result['start']:.1f}–{result['end']:.1f}&nbsp;s, {score}<br>{there}</div></li>"
    )
