"""Offers a list of the library's videos with a query field beside it, as two tabs need it."""

from __future__ import annotations

import gradio as gr

from demo.languages import label
from demo.service.search_request import LONGEST_QUERY


def video_and_query(name: str, asked: gr.i18n.I18nData) -> tuple[gr.Dropdown, gr.Textbox]:
    """Add both to the open row and return them. name: prefix of their ids in the page; asked: label of the query."""
    video = gr.Dropdown([], label=label("Video"), scale=3, min_width=220, elem_id=f"{name}-video")
    query = gr.Textbox(
        label=asked,
        placeholder="a red circle moves up",
        max_length=LONGEST_QUERY,
        scale=3,
        min_width=220,
        elem_id=f"{name}-query",
    )
    return video, query
