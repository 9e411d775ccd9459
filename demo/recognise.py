"""A video of the library or an upload, and labels, in; bars of probabilities out."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from demo.media import UPLOADS
from demo.page import MODEL, failure, message

EMPTY = message("Choose a video or upload one, write one label per line, then press <b>Recognise</b>.")

Recognise = Callable[[str | Path, list[str]], dict[str, Any]]
Proxy = Callable[[str | Path], Any]


def tab(recognise: Recognise, proxy: Proxy, labels: list[str]) -> gr.Dropdown:
    """Adds the tab's components and returns its list of videos, to be filled.

    `recognise(video, labels)` and `proxy(video)` take the id of a library's video or the path of an upload.
    """
    with gr.Row():
        with gr.Column(min_width=280):
            chosen = gr.Dropdown([], label="Video of the library", elem_id="recognise-video")
            upload = gr.File(
                label="or upload one: it is used while it is here", file_types=sorted(UPLOADS), height=140
            )
            words = gr.Textbox("\n".join(labels), label="Labels, one per line", lines=8, max_lines=16)
            button = gr.Button("Recognise", variant="primary")
        with gr.Column(min_width=280):
            result = gr.HTML(EMPTY, elem_id="labels")
            player = gr.Video(
                interactive=False, buttons=[], label="Recognised video", height=300, visible=False
            )

    def run(video: str | None, file: str | None, text: str) -> tuple[Any, str]:
        return show(recognise, proxy, Path(file) if file else video, text.splitlines())

    button.click(
        run, [chosen, upload, words], [player, result], api_name=False, show_progress_on=result, **MODEL
    )
    return chosen


def show(recognise: Recognise, proxy: Proxy, video: str | Path | None, labels: list[str]) -> tuple[Any, str]:
    """The player and the bars; what the user can mend comes back as a message in the bars' place."""
    if not video:
        return gr.Video(None, visible=False), message(
            "Choose a video of the library or upload one first.", "warn"
        )
    try:
        found = recognise(video, labels)
        path = str(proxy(video))
    except ValueError as error:
        return gr.Video(None, visible=False), failure(error)
    return gr.Video(path, visible=True), bars(found)


def bars(found: dict[str, Any]) -> str:
    """Labels with their probabilities, best first, and the times taken."""
    rows = "".join(_bar(item["label"], item["probability"]) for item in found["labels"])
    times = ", ".join(f"{name} {value:.1f} ms" for name, value in found["ms"].items())
    told = "The probabilities compare these labels with each other; one of them wins even if none fits."
    return f'<div class="labels">{rows}</div><p class="facts">{told} <br>{times}</p>'


def _bar(label: str, probability: float) -> str:
    percent = f"{100 * probability:.1f}"
    return (
        f'<div class="label">{html.escape(label)}</div>'
        f'<div class="bar" aria-hidden="true"><span style="width:{percent}%"></span></div>'
        f'<div class="chance">{percent} %</div>'
    )
