"""Clicks on the search's cards in; marks, a choice of moments, and what the cards show of both, out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from demo.components.page import MODEL, failure, message, sent
from demo.languages import translated
from demo.service.calls import Calls
from demo.service.search_request import SearchRequest
from stan.library.collections import MOST_MOMENTS
from stan.library.kept import Moment
from stan.library.marks import Mark

Chosen = dict[str, tuple[Moment, ...]]
"""The moments that a visitor chose, by library."""
NOTHING: dict[str, Any] = {"address": "", "marks": [], "chosen": []}
"""What the cards show while nothing is marked or chosen."""


def choice(calls: Calls, asked: gr.State, cards: gr.HTML, status: gr.HTML) -> gr.State:
    """Connect the cards' buttons and return the visitor's choice, a `Chosen`.

    asked: the last request that ran. status: where it is said what is marked and chosen.
    """
    chosen = gr.State({})
    quietly = {"api_name": False, "show_progress": "hidden"}

    def judged(request: SearchRequest, chosen: Chosen, event: gr.EventData) -> list[Any]:
        return judge(calls, request, chosen, sent(event))

    def choose(request: SearchRequest, chosen: Chosen, event: gr.EventData) -> list[Any]:
        return toggle(calls, request, chosen, sent(event))

    every = {"trigger_mode": "multiple"}  # a click while another one is being answered counts, too
    cards.judged(judged, [asked, chosen], [cards, status], **quietly, **every, **MODEL)
    cards.chosen(choose, [asked, chosen], [chosen, status], **quietly, **every)
    for changed in (asked, chosen):
        changed.change(lambda *now: shown(calls, *now), [asked, chosen], [cards, status], **quietly)
    return chosen


def judge(calls: Calls, request: SearchRequest, chosen: Chosen, clicked: dict[str, Any]) -> list[Any]:
    """Mark the clicked moment for the query as right, as wrong or, for None, as neither."""
    try:
        right = clicked.get("right")
        moment = _moment(calls, request, clicked)
        calls.kept.mark(
            _library(calls, request), request.q, moment, right if isinstance(right, bool) else None
        )
    except ValueError as error:
        return [gr.skip(), failure(error)]
    return shown(calls, request, chosen)


def toggle(calls: Calls, request: SearchRequest, chosen: Chosen, clicked: dict[str, Any]) -> list[Any]:
    """Add the clicked moment to the choice, or take out those that it meets."""
    try:
        moment = _moment(calls, request, clicked)
    except ValueError as error:
        return [gr.skip(), failure(error)]
    library = _library(calls, request)
    before = chosen.get(library, ())
    apart = tuple(one for one in before if not one.meets(moment.id, moment.start, moment.end))
    now = apart if len(apart) < len(before) else (*before, moment)
    if len(now) > MOST_MOMENTS:
        told = translated("{most} moments are chosen: keep them in a collection first.", most=MOST_MOMENTS)
        return [gr.skip(), message(told, "warn")]
    return [{**chosen, library: now}, gr.skip()]


def shown(calls: Calls, request: SearchRequest, chosen: Chosen) -> list[Any]:
    """Return the updates that show what is marked for the query and what is chosen."""
    library = _library(calls, request)
    here = chosen.get(library, ())
    try:
        marks = calls.kept.marks(library, request.q) if request.q else []
    except ValueError as error:
        return [gr.skip(), failure(error)]
    held = {
        "address": request.address,
        "marks": [asdict(mark) for mark in marks],
        "chosen": [asdict(moment) for moment in here],
    }
    told = [_marked(marks)] if marks else []
    told += [translated("chosen: {count} (tab <b>Collections</b>)", count=len(here))] if here else []
    return [gr.HTML(held=held), message("; ".join(told)) if told else ""]


def _marked(marks: list[Mark]) -> str:
    right = sum(mark.right for mark in marks)
    return translated(
        "marked for this query: {right} right, {wrong} wrong (tab <b>Marks</b>)",
        right=right,
        wrong=len(marks) - right,
    )


def _moment(calls: Calls, request: SearchRequest, clicked: dict[str, Any]) -> Moment:
    """Return the clicked moment. Raises ValueError for what is none: the values come from a browser."""
    try:
        start, end = float(clicked["start"]), float(clicked["end"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(translated("that is no moment: search again")) from None
    return calls.kept.moment(_library(calls, request), str(clicked.get("id")), start, end)


def _library(calls: Calls, request: SearchRequest) -> str:
    """Return the library of a request, whose address may leave it out."""
    return request.library or calls.libraries[0]
