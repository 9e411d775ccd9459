"""A library's map in; the part of it that a visitor draws a rectangle around out, as a filter of the search."""

from __future__ import annotations

import gradio as gr

from demo.components.page import failure, message
from demo.components.video_map import SCRIPT, video_map
from demo.languages import label, translated
from demo.service.calls import Calls


def map_of_videos(calls: Calls, library: gr.components.Component) -> tuple[gr.HTML, gr.Textbox]:
    """Add the map, which is drawn when it is opened; return it and the hidden field of the region that is searched."""
    region = gr.Textbox("", visible=False)
    with gr.Accordion(label("Map of the library"), open=False, visible="map" not in calls.without) as opened:
        drawn = gr.HTML("", elem_id="map", js_on_load=SCRIPT.read_text(), region="")
    quietly = {"api_name": False, "show_progress": "hidden"}
    opened.expand(lambda library: show(calls, library), library, drawn, **quietly)
    library.input(_another, None, drawn, **quietly)
    region.change(lambda region: gr.HTML(region=region), region, drawn, **quietly)
    return drawn, region


def _another() -> str:
    return message(translated("Close this and open it again: the map of the chosen library is drawn then."))


def show(calls: Calls, library: str) -> str:
    """Return the map, or why there is none."""
    try:
        return video_map(calls.map(library))
    except ValueError as error:
        return failure(error)
