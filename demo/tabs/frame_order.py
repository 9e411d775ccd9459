"""A video and a query in; a verdict and bars of the score with frames as filmed, shuffled, reversed and frozen out."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from demo.components.page import MODEL, bar, failure, message, took
from demo.components.video_and_query import video_and_query
from demo.service.calls import Calls

EMPTY = message(
    "Choose a video and write what it shows: the same frames are scored as filmed, shuffled, reversed and frozen. "
    "Where nothing changes, the model needs no time to answer."
)
CHOOSE = message("Choose a video of the library first.", "warn")
NO_QUERY = message("Write what the video shows, then press <b>Measure</b>.", "warn")


def tab(calls: Calls, library: gr.components.Component) -> gr.Dropdown:
    """Add the tab's components and return its list of videos, which the page fills."""
    with gr.Row():
        chosen, query = video_and_query("time", "What does it show?")
        button = gr.Button("Measure", variant="primary", scale=1, min_width=130, elem_classes="go")
    status = gr.HTML(EMPTY, elem_id="time-status")
    bars = gr.HTML("", elem_id="time-bars")
    for trigger in (button.click, query.submit):
        trigger(
            lambda *asked: show(calls, *asked),
            [library, chosen, query],
            [status, bars],
            api_name=False,
            show_progress_on=status,
            **MODEL,
        )
    return chosen


def show(calls: Calls, library: str, video: str | None, query: str) -> list[str]:
    """Return the verdict and the bars; for errors that the user can fix, a message replaces the verdict."""
    if not video or not query.strip():
        return [CHOOSE if not video else NO_QUERY, ""]
    try:
        found = calls.time(library, video, query)
    except ValueError as error:
        return [failure(error), ""]
    measured = found["queries"][0]
    told = message(html.escape(measured["says"]), "done" if measured["sure"] else "warn")
    return [told, f"{drawn(measured, found['draws'])}<p class='facts'>{took(found['ms'])}</p>"]


def drawn(measured: dict[str, Any], draws: int) -> str:
    """Return one bar per order of the frames, all from the same origin; a whisker spans 95 % of the shuffled draws."""
    shuffled = measured["shuffled"]
    scores = {
        "as filmed": measured["forwards"],
        f"shuffled, mean of {draws} draws": shuffled["mean"],
        "reversed": measured["reversed"],
        "frozen at the middle frame": measured["frozen"],
    }
    ends = [0.0, *scores.values(), *shuffled["interval"]]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0
    whisker = [(end - low) / span for end in shuffled["interval"]]
    rows = "".join(
        bar(
            name,
            (score - low) / span,
            f"{score:.3f}",
            "" if name == "as filmed" else "less",
            *(whisker if name.startswith("shuffled") else ()),
        )
        for name, score in scores.items()
    )
    return f"<div class='bars'>{rows}</div>"
