"""A video and a query in; a verdict and bars of the score with frames as filmed, shuffled, reversed and frozen out."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo.components.page import MODEL, bar, failure, message, took
from demo.components.video_and_query import no_video, video_and_query
from demo.languages import label, translated
from demo.service.calls import Calls

EMPTY = (
    "Choose a video and write what it shows: the same frames are scored as filmed, shuffled, reversed and frozen. "
    "Where nothing changes, the model needs no time to answer."
)
NO_QUERY = "Write what the video shows, then press <b>Measure</b>."


def tab(calls: Calls, library: gr.components.Component) -> gr.Dropdown:
    """Add the tab's components and return its list of videos, which the page fills."""
    with gr.Row():
        chosen, query = video_and_query("time", label("What does it show?"))
        button = gr.Button(label("Measure"), variant="primary", scale=1, min_width=130, elem_classes="go")
    status = gr.HTML(message(label(EMPTY)), elem_id="time-status")
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
    if not video:
        return [no_video(), ""]
    if not query.strip():
        return [message(translated(NO_QUERY), "warn"), ""]
    try:
        found = calls.time(library, video, query)
    except ValueError as error:
        return [failure(error), ""]
    measured = found["queries"][0]
    told = message(verdict(measured), "done" if measured["sure"] else "warn")
    return [told, f"{drawn(measured, found['draws'])}<p class='facts'>{took(found['ms'])}</p>"]


def verdict(measured: dict[str, Any]) -> str:
    """Return in words, as `stan.explain.frame_order` does in English, what the order of frames changes."""
    if measured["blind"]:
        return translated("The order of frames changes nothing: the model is blind to it here.")
    low, high = measured["shuffled"]["interval"]
    scores = translated(
        "{low} to {high} in most shuffled orders, {forwards} in the true one",
        low=f"{low:.2f}",
        high=f"{high:.2f}",
        forwards=f"{measured['forwards']:.2f}",
    )
    p = f"{measured['p']:.2g}"
    if not measured["sure"]:
        return translated(
            "Order changes the score ({scores}), but the true order doesn't stand out (p = {p}).",
            scores=scores,
            p=p,
        )
    if measured["change"] > 0:
        return translated(
            "Time matters: the true order scores higher ({scores}; p = {p}).", scores=scores, p=p
        )
    return translated("Time matters: the true order scores lower ({scores}; p = {p}).", scores=scores, p=p)


def drawn(measured: dict[str, Any], draws: int) -> str:
    """Return one bar per order of the frames, all from the same origin; a whisker spans 95 % of the shuffled draws."""
    shuffled = measured["shuffled"]
    scores = [measured["forwards"], shuffled["mean"], measured["reversed"], measured["frozen"]]
    ends = [0.0, *scores, *shuffled["interval"]]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0
    whisker = [(end - low) / span for end in shuffled["interval"]]
    names = (
        (translated("as filmed"), "", ()),
        (translated("shuffled, mean of {draws} draws", draws=draws), "less", whisker),
        (translated("reversed"), "less", ()),
        (translated("frozen at the middle frame"), "less", ()),
    )
    rows = "".join(
        bar(name, (score - low) / span, f"{score:.3f}", kind, *spread)
        for (name, kind, spread), score in zip(names, scores, strict=True)
    )
    return f"<div class='bars'>{rows}</div>"
