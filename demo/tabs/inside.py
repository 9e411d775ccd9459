"""A video of the library and a query in; an explanation of their score and the model's attention out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from demo.components.page import MODEL, failure, message
from demo.components.video_and_query import no_video, video_and_query
from demo.languages import label, translated
from demo.service.calls import Calls
from demo.tabs import attention, explanation

FRAMES = [4, 8, 12, 16]
EMPTY = (
    "Choose a video, write what it should show, and press <b>Look inside</b>: the maps tell which patches the score "
    "rests on, and whether that holds."
)
NO_QUERY = "Without a query there is no score to explain: below is where the model looks. Write one to see why it fits."


def tab(calls: Calls, library: gr.components.Component) -> gr.Dropdown:
    """Add the tab's components and return its list of videos, which the page fills."""
    seen = gr.State(None, time_to_live=3600)
    with gr.Row():
        chosen, query = video_and_query("inside", label("What should it show?"))
        count = gr.Dropdown(FRAMES, value=FRAMES[1], label=label("Frames"), scale=1, min_width=110)
        button = gr.Button(label("Look inside"), variant="primary", scale=1, min_width=160, elem_classes="go")
    status = gr.HTML(message(label(EMPTY)), elem_id="inside-status")
    with gr.Column(visible=False) as explained:
        method = gr.Dropdown([], label=label("Method"), elem_id="method")
        maps = gr.HTML(elem_id="explanation")
        words = gr.HTML(elem_id="words")
    raw = attention.views()

    def explain(
        library: str,
        video: str | None,
        words: str,
        frames: int,
        bar: gr.Progress = gr.Progress(),  # noqa: B008 - gradio passes a progress bar for this default
    ) -> list[Any]:
        told = translated("testing the maps")
        return start(
            calls, library, video, words, int(frames), lambda done, total: bar((done, total), desc=told)
        )

    asked = [library, chosen, query, count]
    shown = [seen, status, explained, method, maps, words]
    for trigger in (button.click, query.submit):
        explaining = trigger(explain, asked, shown, api_name=False, show_progress_on=status, **MODEL)
        raw.run(calls, explaining, [library, chosen, count])
    method.input(
        lambda seen, name: explanation.show(seen, name) if seen else _forgotten(),
        [seen, method],
        maps,
        api_name=False,
        show_progress="hidden",
    )
    return chosen


def _forgotten() -> str:
    return message(translated("This was too long ago: press <b>Look inside</b> again."), "warn")


def start(
    calls: Calls,
    library: str,
    video: str | None,
    query: str,
    frames: int,
    progress: Callable[[int, int], None],
) -> list[Any]:
    """Return the explanation and its parts on the page; without an explanation, None and a message."""
    nothing = [gr.Column(visible=False), gr.skip(), "", ""]
    if not video:
        return [None, no_video(), *nothing]
    if not query.strip():
        return [None, message(translated(NO_QUERY), "warn"), *nothing]
    try:
        seen = calls.explain(library, video, query, frames, progress)
    except ValueError as error:
        return [None, failure(error), *nothing]
    names = explanation.methods(seen)
    told = translated(
        "Score {score}. Brighter patches make more of it; the table says whether that holds.",
        score=f"<b>{seen.score:.3f}</b>",
    )
    return [
        seen,
        message(told, "done"),
        gr.Column(visible=True),
        gr.Dropdown(names, value=names[0][1]),
        explanation.show(seen, names[0][1]),
        explanation.words(seen.words),
    ]
