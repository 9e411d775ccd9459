"""A video and a query in; bars of the score as filmed, shuffled, reversed and frozen, and a verdict, out."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from demo.calls import Calls
from demo.page import MODEL, bar, failure, message, took
from demo.wish import LONGEST_QUERY

EMPTY = message(
    "Choose a video and write what it shows: the same frames are scored as filmed, shuffled, reversed and frozen. "
    "Where nothing changes, the model needs no time to answer."
)
CHOOSE = message("Choose a video of the library first.", "warn")
NO_QUERY = message("Write what the video shows, then press <b>Measure</b>.", "warn")


def tab(calls: Calls, library: gr.components.Component) -> gr.Dropdown:
    """Adds the tab's components and returns its list of videos, to be filled."""
    with gr.Row():
        chosen = gr.Dropdown([], label="Video", scale=3, min_width=220, elem_id="time-video")
        query = gr.Textbox(
            label="What does it show?",
            placeholder="a red circle moves up",
            max_length=LONGEST_QUERY,
            scale=3,
            min_width=220,
            elem_id="time-query",
        )
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
    """The verdict and the bars; what the user can mend comes back in the verdict's place."""
    if not video or not query.strip():
        return [CHOOSE if not video else NO_QUERY, ""]
    try:
        found = calls.time(library, video, query)
    except ValueError as error:
        return [failure(error), ""]
    return [verdict(found), drawn(found)]


def drawn(found: dict[str, Any]) -> str:
    """One bar per order of the frames, all from zero on one scale, with the spread over draws as a whisker."""
    ends = [end for row in found["rows"] for end in (row["score"], *(row["interval"] or ()))]
    low, high = min(0.0, *ends), max(0.0, *ends)
    span = high - low or 1.0
    share = lambda value: (value - low) / span  # noqa: E731
    rows = "".join(
        bar(
            row["name"],
            share(row["score"]),
            f"{row['score']:.3f}",
            "" if place == 0 else "less",
            *(share(end) for end in row["interval"] or ()),
        )
        for place, row in enumerate(found["rows"])
    )
    return f"<div class='bars'>{rows}</div><p class='facts'>{took(found['ms'])}</p>"


def verdict(found: dict[str, Any]) -> str:
    """Whether the order of the frames mattered, in words."""
    return message(html.escape(found["verdict"]), "done" if found["matters"] else "warn")
